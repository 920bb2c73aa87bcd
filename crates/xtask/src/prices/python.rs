//! Reads the literal part of Python that `genai_prices/data.py` is written in: calls with keyword arguments, lists,
//! dictionaries, strings, numbers, `True`, `False` and `None`. No Python of a package is ever run.

use anyhow::{Context as _, bail};
use serde_json::{Map, Value};

/// Reads the value assigned to `name` at the top level. `Decimal('0.5')` becomes the string `0.5`; any other call
/// becomes an object with the called name under `_`.
pub(super) fn assigned(source: &str, name: &str) -> anyhow::Result<Value> {
    let start = source
        .match_indices(name)
        .find(|(at, _)| *at == 0 || source[..*at].ends_with('\n'))
        .map(|(at, _)| at)
        .with_context(|| format!("no `{name}` in the Python source"))?;
    let rest = &source[start..];
    let equals = rest.find(" = ").context("no assignment")?;
    let mut reader = Reader { text: &rest[equals + 3..], at: 0 };
    reader.value().with_context(|| {
        let line = source[..start + equals + 3 + reader.at].lines().count();
        format!("line {line}")
    })
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip(&mut self) {
        loop {
            let rest = self.rest();
            let blank = rest.len() - rest.trim_start().len();
            if blank == 0 && !rest.starts_with('#') {
                return;
            }
            self.at += blank;
            if self.rest().starts_with('#') {
                self.at += self.rest().find('\n').unwrap_or(self.rest().len());
            }
        }
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn expect(&mut self, token: &str) -> anyhow::Result<()> {
        if self.take(token) {
            return Ok(());
        }
        bail!("expected `{token}`, got {:?}", self.rest().chars().take(20).collect::<String>())
    }

    fn value(&mut self) -> anyhow::Result<Value> {
        self.skip();
        let first = self.rest().chars().next().context("the source ends early")?;
        match first {
            '\'' | '"' => {
                let mut text = self.string()?;
                // Adjacent literals are one string.
                loop {
                    self.skip();
                    if !self.rest().starts_with(['\'', '"']) {
                        return Ok(Value::String(text));
                    }
                    text.push_str(&self.string()?);
                }
            }
            '[' => {
                self.expect("[")?;
                Ok(Value::Array(self.list("]")?))
            }
            '(' => {
                self.expect("(")?;
                let mut items = self.list(")")?;
                Ok(if items.len() == 1 { items.remove(0) } else { Value::Array(items) })
            }
            '{' => self.dictionary(),
            '-' | '0'..='9' => self.number(),
            _ => self.named(),
        }
    }

    fn list(&mut self, end: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        while !self.take(end) {
            items.push(self.value()?);
            if !self.take(",") {
                self.expect(end)?;
                break;
            }
        }
        Ok(items)
    }

    fn dictionary(&mut self) -> anyhow::Result<Value> {
        self.expect("{")?;
        let mut map = Map::new();
        while !self.take("}") {
            let Value::String(key) = self.value()? else { bail!("a dictionary's key is no string") };
            self.expect(":")?;
            map.insert(key, self.value()?);
            if !self.take(",") {
                self.expect("}")?;
                break;
            }
        }
        Ok(Value::Object(map))
    }

    fn number(&mut self) -> anyhow::Result<Value> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_ascii_digit() || "+-._eE".contains(c))).unwrap_or(rest.len());
        let number: i64 = rest[..length].replace('_', "").parse().with_context(|| format!("{:?}", &rest[..length]))?;
        self.at += length;
        Ok(number.into())
    }

    fn named(&mut self) -> anyhow::Result<Value> {
        let rest = self.rest();
        let length = rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '.')).unwrap_or(rest.len());
        let name = rest[..length].to_owned();
        if name.is_empty() {
            bail!("unexpected {:?}", rest.chars().take(20).collect::<String>());
        }
        self.at += length;
        if !self.take("(") {
            return Ok(match name.as_str() {
                "True" => true.into(),
                "False" => false.into(),
                "None" => Value::Null,
                _ => Value::String(name),
            });
        }
        let mut map = Map::new();
        let mut positional = Vec::new();
        while !self.take(")") {
            let rest = self.rest();
            let word = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(0);
            if word > 0 && rest[word..].starts_with('=') {
                let key = rest[..word].to_owned();
                self.at += word + 1;
                map.insert(key, self.value()?);
            } else {
                positional.push(self.value()?);
            }
            if !self.take(",") {
                self.expect(")")?;
                break;
            }
        }
        if name == "Decimal" {
            return positional.pop().context("Decimal without digits");
        }
        if !positional.is_empty() {
            map.insert("args".to_owned(), Value::Array(positional));
        }
        map.insert("_".to_owned(), Value::String(name));
        Ok(Value::Object(map))
    }

    fn string(&mut self) -> anyhow::Result<String> {
        let rest = self.rest();
        let mut chars = rest.char_indices();
        let quote = chars.next().context("no quote")?.1;
        let mut text = String::new();
        while let Some((at, c)) = chars.next() {
            if c == quote {
                self.at += at + 1;
                return Ok(text);
            }
            if c != '\\' {
                text.push(c);
                continue;
            }
            let (_, escaped) = chars.next().context("the string ends early")?;
            text.push(match escaped {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                '\\' | '\'' | '"' => escaped,
                'x' | 'u' => {
                    let digits = if escaped == 'x' { 2 } else { 4 };
                    let code: String = chars.by_ref().take(digits).map(|(_, c)| c).collect();
                    char::from_u32(u32::from_str_radix(&code, 16)?).context("not a character")?
                }
                other => bail!("unknown escape \\{other}"),
            });
        }
        bail!("a string doesn't end")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_read_without_running_them() {
        let source = "x = 1\n\nmodels: list[M] = [\n    M(id='a', # note\n      price=Decimal('0.5'), many={'k': [1, None, True]}, s=\"it's\" 'b\\n'),\n]\n";
        let value = assigned(source, "models").expect("a value");
        let want = serde_json::json!(
            [{"_": "M", "id": "a", "price": "0.5", "many": {"k": [1, null, true]}, "s": "it'sb\n"}]
        );
        assert_eq!(value, want);
    }
}
