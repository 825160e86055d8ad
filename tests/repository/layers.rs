//! The modules of `audit-core` are layers: each uses only those before it in the picture of `docs/architecture.md`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::TestResult;

/// The modules in order, the lowest first: one line of the picture is one layer.
fn layers() -> TestResult<Vec<Vec<String>>> {
    let text = fs::read_to_string("../docs/architecture.md")?;
    let (_, after) = text
        .split_once("```text\nlayers of audit-core\n")
        .ok_or("docs/architecture.md has no picture of the layers")?;
    let (picture, _) = after.split_once("```").ok_or("the picture has no end")?;
    let layers = picture.lines().filter(|line| !line.trim().is_empty());
    Ok(layers
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) -> TestResult {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files(&path, found)?;
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// A source without its comments, and with empty strings.
fn code(source: &str) -> String {
    let mut code = String::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let end = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if first == '"' {
            code.push_str("\"\"");
            let mut escaped = false;
            let closing = rest.char_indices().skip(1).find(|(_, char)| {
                let closes = *char == '"' && !escaped;
                escaped = *char == '\\' && !escaped;
                closes
            });
            closing.map_or(rest.len(), |(at, _)| at + 1)
        } else if rest.starts_with("'\"'") {
            "'\"'".len()
        } else {
            code.push(first);
            first.len_utf8()
        };
        rest = &rest[end..];
    }
    code
}

/// The names after each `crate::`: one name, or those of a list.
fn names_after_crate(code: &str) -> Vec<String> {
    let name = |text: &str| -> String {
        text.chars()
            .take_while(|char| char.is_alphanumeric() || *char == '_')
            .collect()
    };
    let mut names = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        if !rest.starts_with('{') {
            names.push(name(rest));
            continue;
        }
        let (mut depth, mut begins) = (0, true);
        for (at, char) in rest.char_indices() {
            match char {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => begins = true,
                char if begins && depth == 1 && !char.is_whitespace() => {
                    names.push(name(&rest[at..]));
                    begins = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

/// The module of each name that the root exports.
fn exports(code: &str) -> BTreeMap<String, String> {
    let mut exports = BTreeMap::new();
    for line in code.split(';') {
        let Some((_, path)) = line.split_once("pub use ") else {
            continue;
        };
        let Some((module, names)) = path.split_once("::") else {
            continue;
        };
        for name in names
            .split(['{', '}', ',', ' ', '\n'])
            .filter(|name| !name.is_empty())
        {
            exports.insert(name.to_owned(), module.to_owned());
        }
    }
    exports
}

#[test]
fn each_module_uses_only_lower_layers() -> TestResult {
    let root = Path::new("../audit-core/src");
    let library = code(&fs::read_to_string(root.join("lib.rs"))?);
    let exports = exports(&library);
    let layers = layers()?;
    let height: BTreeMap<&str, usize> = (layers.iter().enumerate())
        .flat_map(|(height, names)| names.iter().map(move |name| (name.as_str(), height)))
        .collect();
    let declared: Vec<&str> = (library.lines())
        .filter_map(|line| {
            let line = line.trim_start_matches("pub ").strip_prefix("mod ")?;
            line.strip_suffix(';')
        })
        .collect();
    let mut faults = Vec::new();
    for module in &declared {
        if !height.contains_key(module) {
            faults.push(format!("{module} is in no layer"));
        }
    }
    for name in height.keys().filter(|name| !declared.contains(name)) {
        faults.push(format!("{name} is no module"));
    }
    let mut sources = Vec::new();
    files(root, &mut sources)?;
    assert!(sources.len() > 100, "{} files", sources.len());
    let mut count = 0;
    for path in sources {
        let inner = path.strip_prefix(root)?;
        let first = inner.components().next().ok_or("no module")?;
        let module = first.as_os_str().to_string_lossy();
        let module = module.trim_end_matches(".rs");
        if module == "lib" {
            continue;
        }
        for name in names_after_crate(&code(&fs::read_to_string(&path)?)) {
            let used = exports.get(&name).map_or(name.as_str(), String::as_str);
            count += 1;
            let (Some(own), Some(other)) = (height.get(module), height.get(used)) else {
                faults.push(format!(
                    "{}: `crate::{name}` is of no module",
                    inner.display()
                ));
                continue;
            };
            if used != module && other >= own {
                faults.push(format!("{}: `{used}` is not lower", inner.display()));
            }
        }
    }
    assert!(count > 400, "{count} uses");
    assert!(faults.is_empty(), "{faults:#?}");
    Ok(())
}
