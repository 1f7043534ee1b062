use super::*;
use proptest::prelude::*;

/// In one line: `name(arg,arg)`, blocks in braces, with `@line` for what is not on line 1.
fn shown(directives: &[Directive]) -> String {
    let one = |d: &Directive| {
        let line = if d.at.line == 1 { String::new() } else { format!("@{}", d.at.line) };
        let block = d.block.as_ref().map_or(String::new(), |block| format!("{{{}}}", shown(block)));
        format!("{}({}){line}{block}", d.name, d.args.join(","))
    };
    directives.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn parsed(text: &str) -> Result<String, (usize, &'static str)> {
    read(text, &Arc::from("f"), 1).map(|all| shown(&all)).map_err(|error| (error.at.line, error.what))
}

#[test]
fn directives_are_read_as_nginx_reads_them() {
    for (text, expected) in [
        ("", ""),
        ("a;", "a()"),
        ("a b  c;d;", "a(b,c) d()"),
        ("a 'b c' \"d;{\" '';", "a(b c,d;{,)"),
        ("a # x; y\nb;# z", "a(b)"),
        ("a b#c;", "a(b#c)"),
        ("a b\"c;", "a(b\"c)"),
        (r#"a "x\"y" x\;y \.php$ a\ b;"#, r#"a(x"y,x\;y,\.php$,a\ b)"#),
        ("a ${b}c$d;", "a(${b}c$d)"),
        ("a {b c;}", "a(){b(c)}"),
        ("a{\nb{}\n}\nc\nd;", "a(){b()@2{}} c(d)@4"),
        ("location ~ ^/a{ b; }", "location(~,^/a){b()}"),
        ("map $a $b { default \"\"; ~x y; }", "map($a,$b){default() ~x(y)}"),
        ("access_by_lua_block { if { '}' } then -- }\n } a;", "access_by_lua_block() a()@2"),
        ("if ($a = \"b\") { c; }", "if(($a,=,b,)){c()}"),
    ] {
        assert_eq!(parsed(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn what_is_no_configuration_is_told_with_its_line() {
    let deep = "a{".repeat(66);
    for (text, line, what) in [
        ("a;\n}", 2, "unexpected }"),
        ("a {\nb;\n", 3, "the file ends inside of a block; a } is missing"),
        ("\na b", 2, "the directive does not end with ; or a block"),
        ("a {\nb }", 2, "the directive does not end with ; or a block"),
        ("a;\n;", 2, "a directive has no name"),
        ("a\n'b;\n", 2, "a quotation mark is never closed"),
        ("a \"b\"c;", 1, "a space is missing after a quotation mark"),
        ("x_by_lua_block {\n", 1, "the Lua block is never closed"),
        (&deep, 1, "blocks are nested deeper than 64"),
    ] {
        assert_eq!(parsed(text), Err((line, what)), "{text}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "([a-z$ ;{}\"'\\\\#\n\\[\\]=-]|é|_by_lua_block \\{){0,80}") {
        let _ = parsed(&text);
    }

    #[test]
    fn quoted_words_come_back(words in proptest::collection::vec("[^\\\\\"]{0,12}", 0..4)) {
        let text: String = words.iter().map(|word| format!(" \"{word}\"")).collect();
        let all = read(&format!("a{text};"), &Arc::from("f"), 1).unwrap();
        prop_assert_eq!(&all[0].args, &words);
    }
}
