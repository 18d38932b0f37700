use super::*;

#[test]
fn the_built_in_definitions_are_right() {
    let catalog = Catalog::built_in().unwrap();
    assert!(catalog.iter().count() >= 7);
    for definition in catalog.iter() {
        let of = |reject| {
            catalog.samples().iter().filter(|(n, s)| *n == definition.name && s.reject == reject).count()
        };
        assert!(of(false) >= 1, "{} has no sample", definition.name);
        assert!(of(true) >= 1, "{} has no counter-sample", definition.name);
    }
}

#[test]
fn a_wrong_definition_says_what_is_wrong() {
    let mut catalog = Catalog::built_in().unwrap();
    let text = "name='x'\ntitle='x'\nclass='access'\nrank=1\nlayout.patterns=['{nonsense}']\nsample=[]";
    let error = catalog.add("x.toml", text).unwrap_err().to_string();
    assert!(error.contains("x.toml") && error.contains("{nonsense}"), "{error}");
}

#[test]
fn a_log_format_directive_may_be_pasted_whole() {
    let catalog = Catalog::built_in().unwrap();
    let pasted = "log_format main '$remote_addr [$time_local] '\n    '\"$request\" $status';";
    let bare = "$remote_addr [$time_local] \"$request\" $status";
    assert_eq!(from_option(pasted, &catalog).unwrap().layout, from_option(bare, &catalog).unwrap().layout);
}

#[test]
fn an_unknown_format_name_lists_the_known_ones() {
    let error = from_option("combned", &Catalog::built_in().unwrap()).unwrap_err().to_string();
    assert!(error.contains("combned") && error.contains("combined"), "{error}");
}
