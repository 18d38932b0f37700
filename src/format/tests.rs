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

fn write(dir: &std::path::Path, name: &str, text: &str) {
    let path = dir.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

#[test]
fn nginx_declares_its_formats_in_included_files_too() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "etc/nginx/nginx.conf",
        "# log_format x '$no';\nhttp { include /etc/nginx/conf.d/*.conf; }\n",
    );
    write(
        root.path(),
        "etc/nginx/conf.d/a.conf",
        "log_format timed escape=json '$remote_addr [$time_local] '\n  '\"$request\" $status ${request_time}';\nserver { access_log /x timed; }",
    );
    write(root.path(), "var/log/nginx/access.log", "");
    let found = config::beside(&[root.path().join("var/log/nginx")]);
    let declared = config::read(&found);
    assert_eq!(declared.problems, Vec::<String>::new());
    let names: Vec<_> = declared.formats.iter().map(|d| (d.name.as_str(), d.escape)).collect();
    assert_eq!(names, [("timed", crate::model::Escape::Json)]);
}

#[test]
fn apache_declares_its_formats_and_those_without_a_time_are_named() {
    let root = tempfile::tempdir().unwrap();
    write(
        root.path(),
        "etc/apache2/apache2.conf",
        "LogFormat \"%h %t \\\"%r\\\" %>s \\\n %D\" timed\nLogFormat \"%U\" agent\nIncludeOptional conf-enabled/*.conf\n",
    );
    write(root.path(), "etc/apache2/conf-enabled/x.conf", "LogFormat \"%v %h %t \\\"%r\\\" %>s\" hosts\n");
    let declared = config::read(&config::beside(&[root.path().to_path_buf()]));
    let names: Vec<_> = declared.formats.iter().map(|d| d.name.as_str()).collect();
    assert_eq!(names, ["timed", "hosts"]);
    assert!(declared.problems[0].contains("agent"), "{:?}", declared.problems);
}

#[test]
fn a_loop_of_includes_ends() {
    let root = tempfile::tempdir().unwrap();
    write(root.path(), "etc/nginx/nginx.conf", "include nginx.conf; include *.conf; include nothing/*/x;");
    assert!(config::read(&config::beside(&[root.path().to_path_buf()])).formats.is_empty());
}
