//! What many calls have in common, looked up at once: the numbers of their names, which are asked for once each.

use rusqlite::Connection;
use tokenbook::Result;

use crate::hash::FastMap;
use crate::store::names::{Class, Combo, Interner};
use crate::store::packed::field;
use crate::store::prepared::{FormTexts, View};
use crate::store::row::{Facts, Numbers};

/// Forms that are remembered before all are forgotten: tags may be without number.
const MAX_FORMS: usize = 20_000;

/// The numbers of the names of a form.
#[derive(Debug)]
pub(crate) struct Form {
    bytes: Box<[u8]>,
    /// One more than the place of another form with the same hash, 0 for none.
    next: usize,
    pub(crate) combo: i64,
    pub(crate) failed: bool,
    pub(crate) provider: i64,
    pub(crate) model: Box<str>,
    /// Numbers of names and lists by field.
    pub(crate) fields: [i64; field::MAX_TOKENS],
    pub(crate) tags: Box<[i64]>,
    pub(crate) offered: Box<[i64]>,
    pub(crate) called: Box<[i64]>,
    /// The tools whose tokens are known.
    pub(crate) tools: Box<[i64]>,
    /// Classes of its calls by what else they depend on.
    classes: Vec<(Class, i64)>,
}

/// The forms met lately; the writer's.
#[derive(Debug, Default)]
pub(crate) struct Forms {
    by_hash: FastMap<u64, usize>,
    forms: Vec<Form>,
}

impl Forms {
    /// Forgets everything, after a transaction whose new names were rolled back.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Forgets everything if there is much; places that were given are no longer good.
    pub(crate) fn forget_if_many(&mut self) {
        if self.forms.len() > MAX_FORMS {
            self.forget();
        }
    }

    pub(crate) fn at(&mut self, place: usize) -> &mut Form {
        &mut self.forms[place]
    }

    /// The place of a call's form.
    pub(crate) fn place(&mut self, db: &Connection, interner: &mut Interner, call: View<'_>) -> Result<usize> {
        let bytes = call.form();
        let first = self.by_hash.get(&call.of.form_hash).copied();
        let mut at = first;
        while let Some(place) = at {
            let form = &self.forms[place];
            if *form.bytes == *bytes {
                return Ok(place);
            }
            at = form.next.checked_sub(1);
        }
        let form = Form::new(db, interner, bytes, first.map_or(0, |place| place + 1))?;
        self.forms.push(form);
        let place = self.forms.len() - 1;
        self.by_hash.insert(call.of.form_hash, place);
        Ok(place)
    }
}

impl Form {
    fn new(db: &Connection, interner: &mut Interner, bytes: &[u8], next: usize) -> Result<Self> {
        let texts = FormTexts::read(bytes);
        let mut numbers = [0; 12];
        for (number, text) in numbers.iter_mut().zip(texts.optional) {
            *number = interner.optional(db, text)?;
        }
        let [provider, agent, action, answered, api, note, stop_reason, stop_kind, error, tier, region, exactness] =
            numbers;
        let combo = Combo { agent, action, model: interner.name(db, texts.model)?, provider, failed: texts.failed };
        let mut fields = [0; field::MAX_TOKENS];
        for (at, number) in [
            (field::ANSWERED_MODEL, answered),
            (field::API, api),
            (field::NOTE, note),
            (field::STOP_REASON, stop_reason),
            (field::STOP_KIND, stop_kind),
            (field::ERROR_CLASS, error),
            (field::SERVICE_TIER, tier),
            (field::REGION, region),
            (field::EXACTNESS, exactness),
        ] {
            fields[at] = number;
        }
        let [tags, offered, called, tools] = &texts.lists;
        let mut members = [const { Vec::new() }; 3];
        for ((at, texts), members) in
            [(field::TAGS, tags), (field::OFFERED, offered), (field::CALLED, called)].into_iter().zip(&mut members)
        {
            fields[at] = interner.list(db, texts, members)?;
        }
        let tools: Result<Box<[i64]>> = tools.iter().map(|tool| interner.name(db, tool)).collect();
        let [tags, offered, called] = members.map(Vec::into_boxed_slice);
        Ok(Self {
            bytes: bytes.into(),
            next,
            combo: interner.combo(db, combo)?,
            failed: texts.failed,
            provider,
            model: texts.model.into(),
            fields,
            tags,
            offered,
            called,
            tools: tools?,
            classes: Vec::new(),
        })
    }

    /// The number of a call's class.
    fn class(&mut self, db: &Connection, interner: &mut Interner, numbers: &Numbers<'_>) -> Result<i64> {
        let [answered_model, service_tier, region] =
            [field::ANSWERED_MODEL, field::SERVICE_TIER, field::REGION].map(|field| self.fields[field]);
        let class = numbers.class(answered_model, service_tier, region);
        if let Some((_, id)) = self.classes.iter().find(|(known, _)| *known == class) {
            return Ok(*id);
        }
        let id = interner.class(db, class)?;
        self.classes.push((class, id));
        Ok(id)
    }

    /// Says what rollups need of a call of this form.
    pub(crate) fn facts(
        &mut self,
        db: &Connection,
        interner: &mut Interner,
        numbers: &Numbers<'_>,
        facts: &mut Facts,
    ) -> Result<()> {
        facts.tags.extend_from_slice(&self.tags);
        (facts.tag_list, facts.called) = (self.fields[field::TAGS], self.fields[field::CALLED]);
        numbers.share(&mut facts.share);
        numbers.sizes(&mut facts.sizes);
        facts.class = self.class(db, interner, numbers)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::prepared::Load;
    use crate::{Along, Call, Ledger, Options};

    #[test]
    fn forms_that_share_a_hash_are_told_apart() {
        let ledger = Ledger::open_in_memory(&Options::default()).expect("a ledger");
        let mut load = Load::default();
        for model in ["a", "b", "c", "a", "c"] {
            let mut call = Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), model);
            load.push(&mut call, Along::default(), false).expect("good");
        }
        load.share_one_hash();
        let places = ledger
            .job(move |writer| {
                let (mut forms, mut interner) = (Forms::default(), Interner::default());
                let mut place = |at: usize| forms.place(&writer.db, &mut interner, load.get(at));
                (0..5).map(&mut place).collect::<Result<Vec<_>>>()
            })
            .expect("found");
        assert_eq!(places, [0, 1, 2, 0, 2]);
    }
}
