//! As much JSON as the corpus files of this directory need; they are written by Python's `json`.

/// A JSON value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(u64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub(crate) fn parse(text: &str) -> Self {
        let mut parser = Parser { rest: text };
        let value = parser.value();
        assert_eq!(parser.rest.trim_start(), "", "trailing text");
        value
    }

    /// The member called `name`.
    pub(crate) fn at(&self, name: &str) -> &Self {
        let Self::Object(members) = self else { panic!("no object: {self:?}") };
        let found = members.iter().find(|(key, _)| key == name);
        &found.unwrap_or_else(|| panic!("no {name} in {self:?}")).1
    }

    pub(crate) fn list(&self) -> &[Self] {
        let Self::List(items) = self else { panic!("no list: {self:?}") };
        items
    }

    pub(crate) fn text(&self) -> &str {
        let Self::Text(text) = self else { panic!("no text: {self:?}") };
        text
    }

    pub(crate) fn number(&self) -> u64 {
        let Self::Number(number) = self else { panic!("no number: {self:?}") };
        *number
    }

    /// A text of Latin-1 characters as the bytes they stand for.
    pub(crate) fn latin1(&self) -> Vec<u8> {
        self.text().chars().map(|c| u8::try_from(c).unwrap()).collect()
    }
}

struct Parser<'a> {
    rest: &'a str,
}

impl Parser<'_> {
    fn value(&mut self) -> Json {
        self.rest = self.rest.trim_start();
        for (word, value) in
            [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
        {
            if self.take(word) {
                return value;
            }
        }
        if self.take("\"") {
            return Json::Text(self.text());
        }
        if self.take("[") {
            return Json::List(self.items("]", Self::value));
        }
        if self.take("{") {
            return Json::Object(self.items("}", |parser| {
                let Json::Text(key) = parser.value() else { panic!("no key") };
                assert!(parser.take(":"));
                (key, parser.value())
            }));
        }
        let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = self.rest.split_at(digits);
        self.rest = rest;
        Json::Number(number.parse().unwrap())
    }

    fn items<T>(&mut self, end: &str, item: impl Fn(&mut Self) -> T) -> Vec<T> {
        let mut items = Vec::new();
        while !self.take(end) {
            assert!(items.is_empty() || self.take(","), "at {:.40}", self.rest);
            items.push(item(self));
            self.rest = self.rest.trim_start();
        }
        items
    }

    fn text(&mut self) -> String {
        let mut text = String::new();
        loop {
            let (plain, rest) = self.rest.split_at(self.rest.find(['"', '\\']).unwrap());
            text.push_str(plain);
            self.rest = rest;
            if self.take("\"") {
                return text;
            }
            text.push(match &self.rest[..2] {
                "\\n" => '\n',
                "\\r" => '\r',
                "\\t" => '\t',
                "\\u" => {
                    let code = u32::from_str_radix(&self.rest[2..6], 16).unwrap();
                    self.rest = &self.rest[4..];
                    char::from_u32(code).unwrap()
                }
                other => other.chars().nth(1).unwrap(),
            });
            self.rest = &self.rest[2..];
        }
    }

    fn take(&mut self, word: &str) -> bool {
        let rest = self.rest.strip_prefix(word);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }
}
