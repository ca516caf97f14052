//! Every dependency may be used under a licence that we accept.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use spdx::{Expression, Licensee, ParseMode};

use crate::workspace::metadata;

/// Licences that allow what ours allow. MPL-2.0 binds only changes to its own files.
const ALLOWED: [&str; 17] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unicode-DFS-2016",
    "Unlicense",
    "Zlib",
];

/// Judges the licence of every package in the lock file, on every platform.
///
/// # Errors
/// Names each crate whose licence is missing, unknown or not allowed.
pub(super) fn check() -> Result<()> {
    let metadata = metadata(&["--locked"])?;
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let refused: Vec<String> = packages.iter().filter_map(refusal).collect();
    if !refused.is_empty() {
        bail!("dependencies with a licence that we do not accept:\n  {}", refused.join("\n  "));
    }
    eprintln!("    {} packages, all with an accepted licence", packages.len());
    Ok(())
}

fn refusal(package: &Value) -> Option<String> {
    let reason = match package["license"].as_str() {
        None => "names no licence".to_owned(),
        Some(licence) => judge(licence).err()?,
    };
    let text = |field: &str| package[field].as_str().unwrap_or("?").to_owned();
    Some(format!("{} {}: {reason}", text("name"), text("version")))
}

/// Whether the allowed licences satisfy an expression; if not, why. Older crates write `MIT/Apache-2.0`.
fn judge(licence: &str) -> Result<(), String> {
    let expression = Expression::parse_mode(licence, ParseMode::LAX)
        .map_err(|error| format!("`{licence}` is not an SPDX expression: {}", error.reason))?;
    let allowed = ALLOWED.map(|name| Licensee::parse(name).expect("the list holds SPDX names"));
    if expression.evaluate(|required| allowed.iter().any(|licensee| licensee.satisfies(required))) {
        Ok(())
    } else {
        Err(format!("`{licence}` is not allowed"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_needs_one_way_that_is_allowed() {
        for licence in [
            "MIT OR Apache-2.0",
            "MIT/Apache-2.0",
            "Apache-2.0 WITH LLVM-exception OR Apache-2.0 OR MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "GPL-3.0-only OR MIT",
            "Apache-2.0+",
            "MPL-2.0",
        ] {
            assert_eq!(judge(licence), Ok(()), "{licence}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for (licence, reason) in [
            ("GPL-3.0-only", "is not allowed"),
            ("AGPL-3.0-or-later", "is not allowed"),
            ("MIT AND GPL-2.0-only", "is not allowed"),
            ("Apache-2.0 WITH Classpath-exception-2.0", "is not allowed"),
            ("LicenseRef-Own", "is not allowed"),
            ("Beerware-ish", "is not an SPDX expression"),
            ("", "is not an SPDX expression"),
        ] {
            let refused = judge(licence).unwrap_err();
            assert!(refused.contains(reason), "{refused}");
        }
    }

    #[test]
    fn a_refusal_names_the_crate() {
        let package = serde_json::json!({"name": "shady", "version": "1.2.3", "license": null});
        assert_eq!(refusal(&package).as_deref(), Some("shady 1.2.3: names no licence"));
    }
}
