//! The file: read, applied, written back, and told what is wrong with it.

use muster_store::Definitions;

use super::super::file::{parse, render};
use super::super::{DefinitionEdit, DefinitionWish, plan, whole};
use super::{FILE, applied, raw, secret, with_acme, written};

#[test]
fn a_file_makes_it_so_and_is_written_back_as_it_was() {
    let rows = applied(Definitions::default(), FILE, false);
    assert_eq!((rows.organizations.len(), rows.workflows.len(), rows.config.len()), (2, 2, 4));
    let exported = render(&whole(&rows)).unwrap();
    let (wanted, _) = parse("exported", &exported).unwrap();
    let again = DefinitionWish::Whole { wanted, prune: true }.edits(&rows);
    assert!(plan(&rows, &again).unwrap().is_empty(), "{exported}");
    // And the same in another database.
    let other = applied(Definitions::default(), &exported, false);
    assert_eq!(render(&whole(&other)).unwrap(), exported);
    assert!(exported.contains("[workflows.\"billing/invoice\"]") && !exported.contains("id ="), "{exported}");
}

#[test]
fn what_the_file_does_not_name_stays_unless_it_is_pruned() {
    let rows = written(applied(Definitions::default(), FILE, false), &[secret("kept")]);
    let file = "[config.global]\napi_url = 'x'\n";
    let stayed = applied(rows.clone(), file, false);
    assert_eq!((stayed.organizations.len(), stayed.workflows.len(), stayed.config.len()), (2, 2, 5));
    let pruned = applied(rows.clone(), file, true);
    let keys: Vec<_> = pruned.config.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(
        (
            pruned.schedules.len() + pruned.webhooks.len(),
            pruned.organizations.len(),
            pruned.workflows.len(),
            keys
        ),
        (0, 0, 0, vec!["kept", "api_url"])
    );
    // A secret of an organization keeps it.
    let value = raw("1");
    let held = DefinitionEdit::SetSecret { key: "s".into(), organization: Some("acme".into()), value };
    let rows = written(rows, &[held]);
    let (wanted, _) = parse("f", file).unwrap();
    let edits = DefinitionWish::Whole { wanted, prune: true }.edits(&rows);
    assert!(
        plan(&rows, &edits).unwrap_err()[0].to_string().contains("organizations.acme: still has 1 secret")
    );
}

#[test]
fn nothing_is_called_as_a_step_in_an_address_is() {
    for name in [".", ".."] {
        for table in [
            format!("[workflows.\"{name}\"]"),
            format!("[organizations.\"{name}\"]"),
            format!("[limits.\"{name}\"]\ntotal = 1"),
            format!("[config.global]\n\"{name}\" = 1"),
            format!("[schedules.\"{name}\"]\nworkflow = 'w'\ncron = '@daily'"),
            format!("[webhooks.\"{name}\"]\nurl = 'https://example.com'"),
        ] {
            let (wanted, _) = parse("f", &table).unwrap();
            let edits = DefinitionWish::Whole { wanted, prune: false }.edits(&Definitions::default());
            let problems = plan(&Definitions::default(), &edits).unwrap_err();
            assert_eq!(problems.len(), 1, "{table}: {problems:?}");
        }
    }
}

#[test]
fn what_is_wrong_in_a_file_is_told_with_its_line_and_the_nearest_right_word() {
    let told = |file: &str| parse("muster.defs.toml", file).unwrap_err().to_string();
    let unknown = told("[workflows.w]\ntiemout_seconds = 3\n");
    assert!(unknown.starts_with("muster.defs.toml:2: unknown field `tiemout_seconds`"), "{unknown}");
    assert!(unknown.ends_with("did you mean timeout_seconds?"), "{unknown}");
    let section = told("\n[workflow.w]\n");
    assert!(
        section.starts_with("muster.defs.toml:2:") && section.contains("did you mean workflows?"),
        "{section}"
    );
    let twice = told("[workflows.a]\n[workflows.b]\nname = 'a'\n");
    assert!(twice.starts_with("muster.defs.toml:2: workflows.b: another table defines"), "{twice}");
    for number in ["12345678901234567890123", "18446744073709551615", "-9223372036854775809", &"9".repeat(60)]
    {
        for line in [format!("n = {number}"), format!("n = [{{ of = {number} }}]")] {
            let large = told(&format!("[config.global]\n{line}\n"));
            assert!(large.starts_with("muster.defs.toml:2: "), "{large}");
            assert!(large.ends_with(&format!("write {{ json = \"{number}\" }}")), "{large}");
        }
    }
    // What only the supervisor knows.
    let file = "[workflows.w]\npath = 'w.js'\n[workflows.l]\nname = 'x y'\norganization = 'acmee'\n";
    let (wanted, places) = parse("f", file).unwrap();
    let edits = DefinitionWish::Whole { wanted, prune: false }.edits(&with_acme());
    let problem = plan(&with_acme(), &edits).unwrap_err()[0].to_string();
    let located = places.locate(&problem);
    assert!(
        located.starts_with("f:5: workflows.\"x y\".organization: ") && located.contains("mean acme?"),
        "{located}"
    );
}
