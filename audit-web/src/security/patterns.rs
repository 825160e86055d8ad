//! The default patterns of traversal and injection.
//!
//! They see decoded text: see [`decode`](super::decode). In a query each parameter is one line, so `^` and `$`
//! are the ends of a parameter and `.` never leaves it. Each pattern asks for more than a word, since people search
//! for "union select", "drop tables" and "o'reilly": it wants the word where only an attack has it.

use super::event::SecurityEventName as Event;

/// Where a pattern is looked for.
pub(super) const PATH: u8 = 1;
/// In the query.
pub(super) const QUERY: u8 = 1 << 1;
/// In the user agent.
pub(super) const AGENT: u8 = 1 << 2;
const TARGET: u8 = PATH | QUERY;
const ALL: u8 = PATH | QUERY | AGENT;

/// A default pattern; letters match in either case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern {
    pub(super) name: &'static str,
    pub(super) scope: u8,
    pub(super) regex: &'static str,
}

impl Pattern {
    /// Returns the word for what the pattern finds.
    pub(super) fn event(&self) -> Event {
        if self.name.starts_with("file-") {
            Event::MaliciousDirectReference
        } else {
            Event::MaliciousExtraneous
        }
    }
}

const fn pattern(name: &'static str, scope: u8, regex: &'static str) -> Pattern {
    Pattern { name, scope, regex }
}

/// White space and what SQL takes for it.
macro_rules! s {
    () => {
        r"(?:[ \t\r\x0b\x0c+]|/\*[^*\n]*\*/|/\*!\d*|\*/)"
    };
}

/// Commands that a shell injection starts with and whose operand gives them away.
macro_rules! reader {
    () => {
        r"(?:cat|tac|head|tail|more|less|nl|type|ls|dir|rm|cd|chmod|touch|find|strings|cp|mv|del)"
    };
}

/// The default patterns; the more telling come first, and the first to match names the finding.
pub(super) const DEFAULTS: &[Pattern] = &[
    // SQL injection.
    pattern(
        "sqli-union",
        ALL,
        concat!(
            r"\bunion",
            s!(),
            r"*(?:\b(?:all|distinct(?:row)?)\b",
            s!(),
            r"*)?[(]?",
            s!(),
            r"*\bselect\b",
            s!(),
            r"*",
            r#"(?:[-\d'"@(*~!{]|null\b|\w+"#,
            s!(),
            r"*[,(]|[\w.,() ]+\bfrom\b)"
        ),
    ),
    pattern(
        "sqli-tautology",
        ALL,
        concat!(
            r#"(?:['"`)%]|\b\d+|^\w+=-?\w*)"#,
            s!(),
            r"*(?:\b(?:or|and|xor|having|where|when)\b|\|\||&&)",
            s!(),
            r#"*[('"]*"#,
            s!(),
            r"*(?:not\b",
            s!(),
            r#"*)?(?:\d+|'[^'\n]{0,40}'|"[^"\n]{0,40}"|\w{1,20}['"])"#,
            s!(),
            r"*",
            r"(?:[=<>]|!=|r?like\b|between\b|is\b|in",
            s!(),
            r"*\()",
            s!(),
            r#"*[=>]?"#,
            s!(),
            r#"*[('"]*(?:\d|\w{0,20}['"]?(?:$|[-#;)'"]))"#
        ),
    ),
    pattern(
        "sqli-tautology",
        ALL,
        concat!(
            r#"['"]"#,
            s!(),
            r"*\)*",
            s!(),
            r"*(?:\b(?:or|and)\b|\|\||&&)",
            s!(),
            r"*(?:true|false|1|not",
            s!(),
            r"*false|exists",
            s!(),
            r"*\(.*|\w+",
            s!(),
            r"+is",
            s!(),
            r"+(?:not",
            s!(),
            r"+)?null)",
            s!(),
            r"*(?:$|--|#|;|/\*|limit)"
        ),
    ),
    pattern(
        "sqli-comment",
        ALL,
        concat!(
            r#"\w?['"]"#,
            r"\)*;?(?:",
            s!(),
            r"?(?:--|#)",
            s!(),
            r"*$|--[-+ ]|;%00|/\*",
            r")"
        ),
    ),
    pattern(
        "sqli-sleep",
        ALL,
        concat!(
            r#"(?:\b(?:and|or|xor|select|then|else|when|rlike|like|by|if)\b|\|\||['"(,*/+;-])"#,
            s!(),
            r#"*[('"]*"#,
            s!(),
            r"*(?:sleep|pg_sleep|dbms_lock\.sleep|randomblob|dbms_pipe\.receive_message)",
            s!(),
            r#"*\("#,
            s!(),
            r#"*['"\dc(]"#
        ),
    ),
    pattern(
        "sqli-sleep",
        ALL,
        concat!(
            r"\bwaitfor",
            s!(),
            r"+(?:delay|time)",
            s!(),
            r#"*['"]|\bbenchmark"#,
            s!(),
            r"*\(",
            s!(),
            r"*\d+",
            s!(),
            r"*,"
        ),
    ),
    pattern(
        "sqli-stacked",
        ALL,
        concat!(
            r#"(?:;|['")]\s*;?)"#,
            s!(),
            r"*(?:(?:drop|alter|truncate|create)",
            s!(),
            r"+(?:table|database|schema|user|view|procedure|function|login|trigger)\b|insert",
            s!(),
            r"+into\b|delete",
            s!(),
            r"+from\b|update",
            s!(),
            r"+\w+",
            s!(),
            r"+set\b|exec(?:ute)?",
            s!(),
            r"+(?:immediate|master|sp_|xp_|@)|declare",
            s!(),
            r"+@|shutdown",
            s!(),
            r"*(?:--|;|$|with)|select",
            s!(),
            r"+(?:pg_|\d|@@|\*|\w+\(|\w+",
            s!(),
            r"+from\b)|copy",
            s!(),
            r"+[\w(])"
        ),
    ),
    pattern(
        "sqli-schema",
        ALL,
        concat!(
            r"\bfrom",
            s!(),
            r"*\(?",
            s!(),
            r"*[`\x22\[]?(?:information_schema|mysql|pg_catalog|pg_shadow|pg_user|sqlite_master|sysobjects|master|msdb|all_tables|user_tables|v\$version|dual|sys|rdb\$\w+|msysaccessobjects)[`\x22\]]?(?:\.|$|[ )'#;,-])"
        ),
    ),
    pattern(
        "sqli-function",
        ALL,
        concat!(
            r#"(?:[=('",|\d+-]|^|\b(?:and|or|select|union|by)\b)"#,
            s!(),
            r"*(?:extractvalue|updatexml|load_file|xmltype|ctxsys\.drithsx\.sn|utl_inaddr\.get_host_\w+|utl_http\.request|xp_cmdshell|sys_eval|lo_import|dbms_xmlgen\.\w+|json_keys|gtid_subset|polygon|exp)",
            s!(),
            r#"*\(", s!(), r#"*[('"\dc~s]"#
        ),
    ),
    pattern(
        "sqli-function",
        ALL,
        concat!(
            r"\binto",
            s!(),
            r#"+(?:out|dump)file"#,
            s!(),
            r#"*['"0]|\bxp_(?:cmdshell|dirtree|regread|fileexist)"#,
            s!(),
            r#"*['"(]|\b(?:master|msdb)\.\.?\w*\.?xp_\w+|\bprocedure"#,
            s!(),
            r"+analyse",
            s!(),
            r"*\(|\bchar",
            s!(),
            r"*\(\d+\)",
            s!(),
            r"*(?:\+|\|\||,)|\bconcat(?:_ws)?",
            s!(),
            r"*\(",
            s!(),
            r"*(?:0x|char\(|\(?select\b|user|version|database)|\bconvert",
            s!(),
            r"*\(",
            s!(),
            r"*int",
            s!(),
            r"*,|\bcast",
            s!(),
            r"*\(",
            s!(),
            r"*\(",
            s!(),
            r"*select\b|(?:=|\bselect",
            s!(),
            r"*)@@\w"
        ),
    ),
    pattern(
        "sqli-subselect",
        ALL,
        concat!(
            r#"(?:['"=|*,(+-]|\b(?:and|or|in|exists|not|elt|if|ascii|substr(?:ing)?|count|length|by)\b)"#,
            s!(),
            r"*\(+",
            s!(),
            r"*(?:select\b",
            s!(),
            r"*(?:.*\bfrom\b|[\d'@(]|\w+",
            s!(),
            r"*\()|case",
            s!(),
            r"+when\b)"
        ),
    ),
    pattern(
        "sqli-order",
        ALL,
        concat!(
            r#"(?:^[\w\[\]]+=-?\d+|['")]"#,
            s!(),
            r"*|\d",
            s!(),
            r"*)[)]*",
            s!(),
            r"+(?:order|group)",
            s!(),
            r"+by",
            s!(),
            r"+\d+",
            s!(),
            r"*(?:--|#|/\*|$|,\d)"
        ),
    ),
    pattern(
        "sqli-blind",
        ALL,
        concat!(
            r#"(?:['")]|\d)"#,
            s!(),
            r"*(?:\b(?:and|or|xor)\b|&&|\|\|)",
            s!(),
            r"*(?:ascii|ord|substr|substring|mid|length|char_length|if|elt|make_set|ifnull|row|updatexml|extractvalue|exp|not)",
            s!(),
            r"*\("
        ),
    ),
    pattern(
        "nosql",
        QUERY,
        r"^(?:user(?:name|_?id)?|login|e?mail|pass(?:word|wd)?|pwd|token|auth)(?:\[\w+\])?\[\$(?:ne|gte?|lte?|n?in|regex|exists|not|where)\]|\$where['\x22\]]*\s*[:=]\s*['\x22]?(?:function|this\.|sleep|return|\d|')|'\s*\|\|\s*'?\d'?\s*==\s*'?\d|^(?:user(?:name)?|login|pass(?:word)?)=\{\s*['\x22]?\$",
    ),
    pattern(
        "ldap-xpath",
        QUERY,
        r"\*?\)\s*\(\s*[|&!]\s*\(|\)\s*\(\s*(?:uid|cn|objectclass|mail|user(?:name)?|pass(?:word)?|samaccountname)\s*=\s*\*|'\s*or\s+(?:count|name|string-length|starts-with|contains)\s*\(",
    ),
    // Scripts for a browser.
    pattern(
        "xss-tag",
        ALL,
        r"<\s*/?\s*script[\s/>]|<\s*(?:iframe|embed|object|frame|applet)[\s/]+[^>\n]*(?:src|data|code)|<\s*(?:meta|base|link)[\s/]+[^>\n]*(?:http-equiv|href)|<\w[^>\n]*[\s/'\x22]on\w{3,24}\s*=|<\s*(?:svg|math|body|img|video|audio|details|marquee|a)[\s/]+[^>\n]*(?:\bon\w+\s*=|srcdoc|javascript:)|<!(?:entity|doctype)\s[^>\n]*(?:system|\[)|<!--#(?:exec|include|echo)|<%(?:=|@|\s*(?:import|eval|execute|response))|<xsl:|<x\s+xmlns",
    ),
    pattern(
        "xss-handler",
        ALL,
        r"[\s'\x22/;](?:on(?:error|load|click|focus(?:in)?|blur|mouse\w{2,5}|pointer\w{2,8}|toggle|begin|start|finish|animation\w{3,9}|transition\w{3,5}|key\w{2,5}|submit|change|input|wheel|drag\w*|copy|paste|resize|scroll|hashchange|pageshow|unload))\s*=\s*['\x22`]?\s*(?:alert|prompt|confirm|eval|fetch|document\b|window\b|location\b|top\b|self\b|import\b|console\b|javascript:|\w+[(`]|\(|%|\x5c)",
    ),
    pattern(
        "xss-script",
        ALL,
        r"(?:^|[=\x22'\s(>,;])(?:javascript|vbscript|livescript)\s*:\s*(?:alert|prompt|confirm|eval|fetch|document|window\.|location|import|//|/\*|\x5c|top\b|self\b|this\b|parent\b|console|msgbox|\x22|'|`|\()|[\x22'`)\]}](?:\s*[-+*/;,|&^<>]+)*\s*[(\[]*(?:alert|prompt|confirm)(?:\x5c|\s|/\*.*?\*/)*[(`]|\b(?:alert|prompt|confirm|eval)\s*[(`]\s*(?:document|window|location|string\.from|atob|/\w*/|\x22?xss|'xss|`xss|`?\d+`\s*$)|data:text/html[;,]|data:[\w/+;=,-]*,\s*<|\bdocument\.(?:cookie|write)\s*[=(+)]|\bexpression\s*\(\s*(?:alert|prompt)|string\.fromcharcode\s*\(\s*\d",
    ),
    // Code for the server.
    pattern(
        "jndi",
        ALL,
        r"\$\{\s*(?:jndi|lower|upper|env|sys|java|ctx|date|main|k8s|base64|bundle|docker|web|spring|log4j|sd|map|marker|::)\s*:|\$\{[^}\n]{0,60}\$\{[^}\n]{0,60}:-?|\$\{::|\bjndi:(?:ldaps?|rmi|dns|iiop|nis|corba|nds|https?):",
    ),
    pattern(
        "template",
        ALL,
        r"(?:\{\{|\{%|[$#%*@]\{|<%=)\s*=?\s*['\x22(]*\d+['\x22)]*\s*[*+-]\s*['\x22(]*\d+|(?:\{\{|\{%)[^\n]*(?:__\w+__|constructor\s*[.(\[]|\.mro\b|subclasses|self\._|lipsum|cycler|joiner|config\.items|config\s*\}|getclass|popen|\|\s*attr|_self\.|\['map|\|\s*filter|\|\s*map|request\.application|settings\.secret)|[$%#*]\{[^\n]*(?:#_memberaccess|#context|#a\s*=|#cmd|#rt|@ognl|@java|java\.lang|\bt\(|getruntime|getclass|processbuilder|new\s+java|freemarker|#req|#res\b)|#_memberaccess|@ognl\.|\bjava\.lang\.(?:runtime|process|class|system|string)|\bclass\.module\.classloader|getruntime\(\)\.exec|freemarker\.template\.utility|\b__import__\s*\(|(?:#set|#foreach|#if)\s*\(\s*\$|\b__(?:globals|class|subclasses|proto|mro|builtins)__\b",
    ),
    pattern(
        "php-code",
        ALL,
        r"<\?(?:php|=|\s)|<php>|\bphpinfo\s*\(\s*-?\d*\s*\)|(?:^\w+=|[;={('\x22@|&!`])\s*(?:system|passthru|shell_exec|proc_open|popen|assert|exec|eval|die|print_r|printf|var_dump|echo|print|file_put_contents|include|require|unserialize|create_function|preg_replace)\s*[( ]\s*(?:@?base64_decode|\$_(?:get|post|request|server|cookie)|gzinflate|str_rot13|@?md5\s*\(|\x5c?['\x22]?(?:id|whoami|uname|ls|cat|ipconfig|ifconfig|wget|curl|dir|ping|echo)\b|chr\(|phpinfo|@?system|file_get_contents)|\bbase64_decode\s*\(|\binvokefunction\b|\bcall_user_func(?:_array)?\b|\ballow_url_include\b|\bauto_(?:prepend|append)_file\b|\$_(?:get|post|request|server|cookie|files)\s*\[|\bo:\d+:\x22[\w\x5c]+\x22:\d+:\{|\bfile_put_contents\s*\(|\bdisable_functions\b|\bsafe_mode\s*=",
    ),
    pattern(
        "shellshock",
        TARGET,
        r"\(\s*\)\s*\{\s*(?::|_|x|ignored|\w+\s*;|test)\s*;?\s*\}?\s*;",
    ),
    pattern("shellshock", AGENT, r"\(\s*\)\s*\{"),
    pattern(
        "shell",
        ALL,
        concat!(
            r"(?:[;|&`\r>]|\$\(|\(\s*|%0a|^)[ \t\r+({]*(?:sudo )?(?:/(?:usr/)?(?:s?bin|local/bin)/)?",
            reader!(),
            r"(?:[ \t+]+|\$\{?ifs\}?(?:\$\d)?|<|\{?,)['\x22]*(?:-[a-z]|/|\./|\.\./|~|\$|>|\x5c|\*|c:|\w+\.php)"
        ),
    ),
    pattern(
        "shell",
        ALL,
        r"(?:[;|&`\r]|\$\()[ \t\r+(]*(?:/(?:usr/)?s?bin/)?(?:whoami|uname|ifconfig|ipconfig|printenv|netstat|systeminfo|busybox)(?:$|[ \t\r+;|&`)#%'\x22-])|(?:[;|&`\r]{2}|[;|`\r]|\$\()[ \t+]*(?:id|ls|pwd|dir|ps|env|set|hostname|who|w|reboot|sh|bash)[ \t+]*(?:[;|&`)#]|%|'|\x22|-\w)|(?:[|;&`]\s|\|\||&&|\r)[ \t+]*(?:id|ls|dir|pwd|env|ps|set)\s*$|\|\s*(?:ba|da|z|k|c|tc)?sh\b[ \t+]*(?:$|[;|&`)#'\x22-])",
    ),
    pattern(
        "shell",
        ALL,
        r"(?:[;|&`\r]|\$\(|\b(?:cmd|exec|command|execute|daemon|run|shell|ping|host|ip|todo)=)[ \t\r+(]*(?:/(?:usr/)?s?bin/)?(?:(?:wget|curl|tftp|ftpget|fetch|lwp-download)(?:[ \t+]+|\$\{?ifs\}?)(?:-|['\x22]?(?:https?:|ftp|//)|\d|\$|\w+\.\w+[/: ])|(?:nc|ncat|netcat|bash|sh|zsh|ksh|dash|python\d?|perl|ruby|php|powershell(?:\.exe)?|cmd(?:\.exe)?|telnet|telnetd|nohup|kill(?:all)?|crontab|useradd|iptables|base64|certutil|bitsadmin|mshta|regsvr32|rundll32)(?:[ \t+]+|\$\{?ifs\}?)(?:-|/|['\x22]|\d|\$|\./|<)|(?:nslookup|ping|dig|sleep|timeout|host)(?:[ \t+]+|\$\{?ifs\}?)(?:-\w|/\w|\d|\$|`|[\w-]+\.[\w.-]+)|echo(?:[ \t+]+|\$\{?ifs\}?)(?:-|['\x22$`]|\w+(?:$|[ \t+]*[;|&`>\x5c]))|expr[ \t+]+\d|set[ \t+]*/a)",
    ),
    pattern(
        "shell",
        ALL,
        r"\$\{?ifs\b|(?:^|[=\s;|&`(\x22'/<])/bin/(?:ba|da|z|k|c|tc)?sh\b|(?:^|[=\s;|&`('\x22<])/(?:usr/)?bin/(?:cat|id|ls|uname|wget|curl|nc|perl|python|whoami|ping|chmod|rm|busybox)\b|\bcmd(?:\.exe)?[\x22']?\s*/[ck]\b|\bpowershell(?:\.exe)?\s+-(?:e|enc|nop|w|c|ep|exec)\w*\b|/dev/tcp/\d|\bsh\s+/tmp/|\bcd\s+/tmp\s*[;|&]|\brm\s+-rf\s+[/*~]|\|\s*base64\s+-d|\bchmod\s+(?:\+x|777)\s|\$\(\(\d+[*+]\d+\)\)|>\s*/(?:tmp|var|dev|etc|usr)/\w",
    ),
    pattern(
        "wrapper",
        TARGET,
        r"\bphp://(?:input|filter|memory|temp|output|fd|stdin)|(?:^|[=\s('\x22&,:])(?:phar|expect|gopher|dict|netdoc|ssh2\.\w+|zip|zlib|compress\.(?:zlib|bzip2)|glob|rar|ogg|local_file)://|(?:^|[=\s('\x22])jar:\w+:|(?:^|[=\s('\x22])file:/{1,3}(?:etc|proc|var|home|root|usr|c[:|]|windows|\w*\.)|(?:^|=)data:(?:text/plain|application/x-httpd-php)?;?(?:base64)?,\s*(?:pd9waha|<\?)",
    ),
    pattern(
        "remote-include",
        QUERY,
        r"=\s*(?:https?|ftps?)://[^\s?\n]+\.(?:txt|php\d?|gif|jpe?g|png|dat|inc|jsp)\?+\x00?$|=\s*(?:https?|ftp)://[^\s\n]*/(?:shell|r57|c99|cmd|evil|id|test|rfi\w*|phpinfo)\.(?:txt|php)\b|=(?:https?:)?//(?:[\w-]+\.)*(?:evil|attacker|bxss|interact|oast|oastify|burpcollaborator|dnslog|ceye|xss|requestbin|webhook)(?:\.\w+)+",
    ),
    pattern(
        "metadata-service",
        QUERY,
        r"\b169\.254\.169\.254\b|\bmetadata\.google\.internal\b|\b100\.100\.100\.200\b|\[?fd00:ec2::254\b|\b2852039166\b|\b0xa9fea9fe\b|/latest/meta-?data/|/computemetadata/v1",
    ),
    pattern(
        "header-injection",
        TARGET,
        r"\r\s*(?:set-cookie|location|content-(?:type|length|disposition|security-policy)|x-[\w-]{2,30}|refresh|host|transfer-encoding|access-control-\w[\w-]*|link|http/\d)\s*:?\s*[\w=;/.*%<-]|\r{2,4}\s*<(?:html|script|svg|h1)|\rhttp/\d",
    ),
    // Files of the host.
    pattern(
        "file-traversal",
        QUERY,
        r"(?:\.{2,}[/\x5c]+){2}|(?:^|[=/\x5c])\.\.\x5c+\w|(?:^|[=/\x5c])\.\.[/\x5c]+(?:\.|etc\b|proc\b|windows|winnt|boot\.ini|var/|web-inf|wp-|conf(?:ig)?(?:uration)?[./]|[\w/.-]+\.(?:php\d?|inc|ini|conf|cfg|ya?ml|toml|env|log|bak|sql|sqlite3?|db|pem|key|htpasswd|htaccess|passwd|properties|asp|aspx|jsp|xml)\b)|\.\.;/|(?:^|=)(?:/\.)?/?\.\./?$",
    ),
    pattern(
        "file-system",
        TARGET,
        r"(?:[=/\x5c:\s'\x22(<@]|^)(?:etc[/\x5c]+(?:\.?[/\x5c])*(?:passwd|g?shadow|group|issue|sudoers|crontab|fstab|motd|mysql/my\.cnf|my\.cnf|hostname|hosts|resolv\.conf|ssh/\w+|nginx/[\w.]+|apache2?/[\w.]+|httpd/[\w./]+|php\.ini|redhat-release|os-release|kubernetes/\w+)-?)(?:\x00.*|[.;?#'\x22`)\]}|&<>]+.*|/\.?)?$|/proc/(?:self|version|cpuinfo|mounts|net|\d+)(?:/|$)|[/\x5c](?:win|boot|system|php)\.ini(?:\x00|$|[;&|?#'\x22)])|\b(?:windows|winnt)[/\x5c]+(?:system32|win\.ini|system\.ini|system32[/\x5c])|(?:^|[=/])(?:root|home/\w+)/\.(?:ssh|bash_history|aws|bashrc|profile|my\.cnf)|/var/(?:log/(?:apache2?|httpd|nginx|auth|messages|syslog|vsftpd|secure|mail)|lib/(?:php|mysql|mlocate)|www/\w+/[\w./]*(?:config|\.env)|run/secrets)|\.ssh[/\x5c](?:id_\w+|authorized_keys)|/web-inf[/\x5c](?:web\.xml|classes|lib)|/usr/local/(?:lib/php|apache|etc)/|/windows/win\.ini|[a-z]:[/\x5c]+(?:windows|winnt|boot\.ini|inetpub|xampp|users[/\x5c])",
    ),
    pattern("file-null-byte", PATH, r"\x00"),
    pattern(
        "file-null-byte",
        QUERY,
        r"^\w[\w\[\]-]*=[\x20-\x7e]*[\w./]\x00(?:$|\.\w{2,5}$|[\x20-\x7e]*$)|^\x00",
    ),
    pattern(
        "file-source",
        TARGET,
        r"::\$(?:data|index_allocation)|\*~\d|~\d\*|^(?:file|page|path|template|include|inc|doc|document|folder|pg|style|view|content|layout|lang|dir|src|source|filename|filepath|download|load|read|f|p)=[^\n]*(?:(?:^|[=/])wp-config\.php|(?:^|[=/])\.env|(?:^|[=/])\.htaccess|(?:^|[=/])\.git/|web\.config|configuration\.php|config\.inc\.php|application\.(?:properties|yml)|settings\.py|database\.yml|web\.xml)(?:\.bak|~)?(?:\x00.*)?$",
    ),
];
