//! The stored names of findings.

use std::fmt;

/// Names a security event with the terms of the OWASP Application Logging Vocabulary.
///
/// Source: OWASP Cheat Sheet Series, *Application Logging Vocabulary Cheat Sheet*. The vocabulary has no term for SQL
/// injection or cross-site scripting as such: an unexpected input is `malicious_extraneous`, and
/// [`Finding::rule`](super::Finding::rule) contains the kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SecurityEventName {
    /// A known scanner named itself in the user agent.
    MaliciousAttackTool,
    /// A request tried to reach a file or page that is not offered: a probing path or a traversal.
    MaliciousDirectReference,
    /// A request carried an injection: SQL, script, template, shell, wrapper or a custom pattern.
    MaliciousExtraneous,
    /// One address requested many things that do not exist.
    MaliciousExcess404,
    /// One address was refused (401 or 403) many times.
    AuthzFail,
    /// Logins failed many times for one user, or from one address.
    AuthnLoginFailMax,
    /// A request target is too long to be inspected.
    InputValidationFail,
}

impl SecurityEventName {
    /// Returns the stored word, which never changes.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::MaliciousAttackTool => "malicious_attack_tool",
            Self::MaliciousDirectReference => "malicious_direct_reference",
            Self::MaliciousExtraneous => "malicious_extraneous",
            Self::MaliciousExcess404 => "malicious_excess_404",
            Self::AuthzFail => "authz_fail",
            Self::AuthnLoginFailMax => "authn_login_fail_max",
            Self::InputValidationFail => "input_validation_fail",
        }
    }

    /// Whether the vocabulary gives the event the level CRITICAL; the others are WARN.
    #[must_use]
    pub const fn is_critical(self) -> bool {
        match self {
            Self::MaliciousAttackTool
            | Self::MaliciousDirectReference
            | Self::MaliciousExtraneous
            | Self::AuthzFail => true,
            Self::MaliciousExcess404 | Self::AuthnLoginFailMax | Self::InputValidationFail => false,
        }
    }
}

impl fmt::Display for SecurityEventName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
