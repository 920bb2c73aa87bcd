//! Gathers what the named questions are about in one pass: sums, spreads, classes of prices, tools.

use std::collections::BTreeMap;

use rusqlite::Connection;
use tokenbook::Result;

use crate::calendar::{Calendar, MS_PER_HOUR, Unit};
use crate::filter::{Filter, Wanted};
use crate::hash::FastMap;
use crate::report::gather::{
    FOLDED, Fit, Piece, TAIL, bounds, cuts_pruned, end_of_all, is_pruned, pieces, start_of_all,
};
use crate::spread::{Codes, Spread};
use crate::store::fold::Kind;
use crate::store::names::{Combo, Names};
use crate::store::row::{FACT_COLUMNS, Facts, Used, facts, used};
use crate::store::writer::HeadRow;
use crate::store::{corrupt, sqlite};
use crate::sums::{Share, Sum, Sums};

/// What is to be gathered.
#[expect(clippy::struct_excessive_bools, reason = "switches that don't depend on each other")]
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wants {
    pub(crate) sums: bool,
    pub(crate) tools: bool,
    pub(crate) classes: bool,
    /// With the sums only.
    pub(crate) spreads: bool,
    pub(crate) called: bool,
}

/// A span of time whose sums were kept together; half open, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) from: i64,
    pub(crate) to: i64,
    /// Whether it is of the calls that no rollup has yet, and of them alone.
    pub(crate) tail: bool,
}

/// Which spans the classes of rollups are kept in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spans {
    /// Each month by itself, of rollups by month.
    Months,
    /// Each day by itself.
    Days,
    /// All days as one.
    One(Span),
}

/// Calls that are priced alike within a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ClassKey {
    pub(crate) span: Span,
    pub(crate) combo: i64,
    pub(crate) class: i64,
}

/// What came together.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    pub(crate) sums: BTreeMap<i64, Sums>,
    /// By tool and combo; tool 0 for calls without any.
    pub(crate) tools: BTreeMap<(i64, i64), Sums>,
    pub(crate) classes: BTreeMap<ClassKey, Sums>,
    pub(crate) spreads: BTreeMap<i64, Spread>,
    /// By list of called tools and combo.
    pub(crate) called: BTreeMap<(i64, i64), Sums>,
    /// What the combos are that were wanted.
    pub(crate) combos: BTreeMap<i64, Combo>,
}

impl Gathered {
    fn add(&mut self, more: &Self) {
        fn add<K: Ord + Copy>(all: &mut BTreeMap<K, Sums>, more: &BTreeMap<K, Sums>) {
            for (key, sums) in more {
                all.entry(*key).or_default().add(sums);
            }
        }
        add(&mut self.sums, &more.sums);
        add(&mut self.tools, &more.tools);
        add(&mut self.classes, &more.classes);
        add(&mut self.called, &more.called);
        more.spreads.iter().for_each(|(combo, spread)| self.spreads.entry(*combo).or_default().add(spread));
    }

    /// Takes off what is a part of this; the instants of spreads stay.
    fn subtract(&mut self, part: &Self) -> Result<()> {
        fn subtract<K: Ord + Copy>(all: &mut BTreeMap<K, Sums>, part: &BTreeMap<K, Sums>) -> Result<()> {
            for (key, less) in part {
                all.entry(*key).or_default().subtract(less)?;
            }
            all.retain(|_, sums| sums.get(Sum::Calls) > 0);
            Ok(())
        }
        subtract(&mut self.sums, &part.sums)?;
        subtract(&mut self.tools, &part.tools)?;
        subtract(&mut self.classes, &part.classes)?;
        subtract(&mut self.called, &part.called)?;
        for (combo, less) in &part.spreads {
            self.spreads.entry(*combo).or_default().subtract(less)?;
        }
        self.spreads.retain(|combo, _| self.sums.contains_key(combo));
        Ok(())
    }
}

/// A range and a filter on one reading of the ledger.
pub(crate) struct Survey<'a> {
    db: &'a Connection,
    names: &'a mut Names,
    head: HeadRow,
    days: &'a mut Calendar,
    wanted: Wanted,
    bounds: (i64, i64),
    from: i64,
    to: i64,
    combos: FastMap<i64, Option<Combo>>,
}

impl<'a> Survey<'a> {
    pub(crate) fn new(
        db: &'a Connection,
        names: &'a mut Names,
        head: HeadRow,
        days: &'a mut Calendar,
        filter: &Filter,
        (from, to): (Option<i64>, Option<i64>),
    ) -> Result<Self> {
        let bounds = bounds(db)?;
        // A range that reaches beyond all calls has no edge there that calls would have to be read for.
        let from = from.filter(|from| *from > bounds.0).unwrap_or_else(|| start_of_all(days));
        let to = to.filter(|to| *to < bounds.1).unwrap_or_else(|| end_of_all(days));
        let wanted = Wanted::find(db, filter)?;
        Ok(Self { db, names, head, days, wanted, bounds, from, to, combos: FastMap::default() })
    }

    /// Names and the connection, for telling what the numbers mean.
    pub(crate) fn names(&mut self) -> (&'a Connection, &mut Names) {
        (self.db, self.names)
    }

    /// Gathers from the coarsest sums there are. With a filter by session, tag or tool, and at the edges of the range that
    /// cut through a day, it reads calls.
    pub(crate) fn gather(&mut self, wants: Wants) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        if self.from >= self.to {
            return Ok(gathered);
        }
        let (from, to) = (self.from, self.to);
        if let Some(days) = self.days_of_facets()? {
            for day in days {
                let (start, end) = (self.days.day_start(day), self.days.day_start(day + 1));
                self.take_calls(start.max(from), end.min(to), wants, &mut gathered)?;
            }
        } else {
            for piece in pieces(self.days, from, to, &Fit { days: true, hours: false, months: true }) {
                match piece {
                    Piece::Months(first, last) => {
                        self.take_rollups(Spans::Months, first, last, wants, &mut gathered)?;
                    }
                    // All of one span: where a price changes inside it, its days are read again one by one.
                    Piece::Days(first, last) => {
                        let (from, to) = (self.days.day_start(first), self.days.day_start(last));
                        let span = Span { from, to, tail: false };
                        self.take_rollups(Spans::One(span), first, last, wants, &mut gathered)?;
                    }
                    Piece::Hours(..) => {}
                    Piece::MostOfDay { day, most, rest } if !is_pruned(rest, self.head, self.bounds) => {
                        self.take_most_of_day(day, most, rest, wants, &mut gathered)?;
                    }
                    Piece::Calls(from, to) | Piece::MostOfDay { most: (from, to), .. } => {
                        self.take_calls(from, to, wants, &mut gathered)?;
                    }
                }
            }
        }
        let mut added = Added::default();
        self.visit(TAIL, from, to, |survey, combo, facts, _| {
            let hour = facts.at.div_euclid(MS_PER_HOUR) * MS_PER_HOUR;
            let span = Span { from: hour, to: hour + MS_PER_HOUR, tail: true };
            added.add(&survey.wanted, combo, facts, span, wants);
            Ok(())
        })?;
        added.into(wants, &mut gathered);
        gathered.combos = self.combos.iter().filter_map(|(id, combo)| Some((*id, (*combo)?))).collect();
        Ok(gathered)
    }

    /// The classes of one span again, by its days.
    pub(crate) fn classes_by_day(&mut self, span: Span) -> Result<BTreeMap<ClassKey, Sums>> {
        let (first, last) = (self.days.day_of(span.from), self.days.day_of(span.to - 1) + 1);
        let mut gathered = Gathered::default();
        let wants = Wants { classes: true, ..Wants::default() };
        self.take_rollups(Spans::Days, first, last, wants, &mut gathered)?;
        Ok(gathered.classes)
    }

    /// Goes through the calls of a span: combo, class, what was used.
    pub(crate) fn used_in(&mut self, span: Span, mut visit: impl FnMut(i64, i64, Used) -> Result<()>) -> Result<()> {
        if !span.tail && span.from < self.head.pruned_before {
            return Err(cuts_pruned(self.head.pruned_before));
        }
        let which = if span.tail { TAIL } else { FOLDED };
        let (from, to) = (span.from.max(self.from), span.to.min(self.to));
        self.visit(which, from, to, |_, combo, facts, row| visit(combo, facts.class, used(row)?))
    }

    /// How many calls each combo made in each hour from `first` on, hours counted from 1970.
    pub(crate) fn calls_by_hour(&mut self, first: i64) -> Result<BTreeMap<(i64, i64), u128>> {
        let sql = "SELECT bucket, combo, sums FROM roll WHERE kind = ?1 AND bucket >= ?2";
        let mut statement = self.db.prepare_cached(sql).map_err(sqlite)?;
        let mut rows = statement.query((Kind::Hour as i64, first)).map_err(sqlite)?;
        let mut calls: BTreeMap<(i64, i64), u128> = BTreeMap::new();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let (hour, combo): (i64, i64) = (row.get(0).map_err(sqlite)?, row.get(1).map_err(sqlite)?);
            if !self.combo(combo)? {
                continue;
            }
            let mut sums = Sums::default();
            sums.add_written(row.get_ref(2).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a rollup"))?)?;
            calls.insert((hour, combo), sums.get(Sum::Calls));
        }
        drop(rows);
        let (from, to) = (first * MS_PER_HOUR, self.to);
        self.visit(TAIL, from, to, |_, combo, facts, _| {
            *calls.entry((facts.at.div_euclid(MS_PER_HOUR), combo)).or_default() += 1;
            Ok(())
        })?;
        Ok(calls)
    }

    /// Whether a span is of several days.
    pub(crate) fn has_days(&mut self, span: Span) -> bool {
        !span.tail && self.days.day_of(span.from) < self.days.day_of(span.to - 1)
    }

    /// For a filter by session, tag or tool: the days that have such calls.
    fn days_of_facets(&mut self) -> Result<Option<Vec<i64>>> {
        let (kind, facets) = match (&self.wanted.session, &self.wanted.tag, &self.wanted.tool) {
            (Some(facets), ..) => (Kind::Session, facets),
            (_, Some(facets), _) => (Kind::Tag, facets),
            (.., Some(facets)) => (Kind::Tool, facets),
            _ => return Ok(None),
        };
        let sql = "SELECT 1 FROM roll WHERE kind = ?1 AND bucket = ?2 AND facet = ?3";
        let mut statement = self.db.prepare_cached(sql).map_err(sqlite)?;
        let first = self.days.day_of(self.from.max(self.bounds.0));
        let last = self.days.day_of(self.to.min(self.bounds.1));
        let mut days = Vec::new();
        for day in first..=last {
            for facet in facets {
                if statement.exists((kind as i64, day, facet)).map_err(sqlite)? {
                    days.push(day);
                    break;
                }
            }
        }
        Ok(Some(days))
    }

    /// A combo, if it is wanted.
    fn combo(&mut self, id: i64) -> Result<bool> {
        if let Some(known) = self.combos.get(&id) {
            return Ok(known.is_some());
        }
        let combo = self.names.combo(self.db, id)?;
        let wanted = self.wanted.has_combo(&combo);
        self.combos.insert(id, wanted.then_some(combo));
        Ok(wanted)
    }

    fn take_rollups(&mut self, spans: Spans, from: i64, to: i64, wants: Wants, into: &mut Gathered) -> Result<()> {
        let months = spans == Spans::Months;
        let kinds = [
            (wants.sums, Kind::Day),
            (wants.tools, Kind::Tool),
            (wants.classes, Kind::Class),
            (wants.spreads, Kind::Spread),
            (wants.called, Kind::Called),
        ];
        let sql = "SELECT bucket, facet, combo, sums FROM roll WHERE kind = ?1 AND bucket >= ?2 AND bucket < ?3";
        let mut statement = self.db.prepare_cached(sql).map_err(sqlite)?;
        for (_, kind) in kinds.into_iter().filter(|(wanted, _)| *wanted) {
            let stored = if months { kind.by_month().expect("kept by month too") } else { kind };
            let mut rows = statement.query((stored as i64, from, to)).map_err(sqlite)?;
            let mut last: Option<(i64, Span)> = None;
            while let Some(row) = rows.next().map_err(sqlite)? {
                let combo: i64 = row.get(2).map_err(sqlite)?;
                if !self.combo(combo)? {
                    continue;
                }
                let facet: i64 = row.get(1).map_err(sqlite)?;
                let bytes = row.get_ref(3).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a rollup"))?;
                match kind {
                    Kind::Day => into.sums.entry(combo).or_default().add_written(bytes)?,
                    Kind::Tool => into.tools.entry((facet, combo)).or_default().add_written(bytes)?,
                    Kind::Spread => into.spreads.entry(combo).or_default().add_written(bytes)?,
                    Kind::Called => into.called.entry((facet, combo)).or_default().add_written(bytes)?,
                    _ => {
                        let bucket: i64 = row.get(0).map_err(sqlite)?;
                        let span = match last {
                            Some((known, span)) if known == bucket => span,
                            _ => match spans {
                                Spans::One(span) => span,
                                Spans::Months | Spans::Days => {
                                    let next = if months { self.days.next(Unit::Month, bucket) } else { bucket + 1 };
                                    let (from, to) = (self.days.day_start(bucket), self.days.day_start(next));
                                    Span { from, to, tail: false }
                                }
                            },
                        };
                        last = Some((bucket, span));
                        into.classes.entry(ClassKey { span, combo, class: facet }).or_default().add_written(bytes)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes a day without the calls in one part of it.
    fn take_most_of_day(
        &mut self,
        day: i64,
        most: (i64, i64),
        rest: (i64, i64),
        wants: Wants,
        into: &mut Gathered,
    ) -> Result<()> {
        let span = Span { from: most.0, to: most.1, tail: false };
        let (mut whole, mut part, mut added) = (Gathered::default(), Gathered::default(), Added::default());
        self.take_rollups(Spans::One(span), day, day + 1, wants, &mut whole)?;
        self.visit(FOLDED, rest.0, rest.1, |survey, combo, facts, _| {
            added.add(&survey.wanted, combo, facts, span, wants);
            Ok(())
        })?;
        added.into(wants, &mut part);
        whole.subtract(&part)?;
        if wants.spreads {
            self.find_edges(most, rest.1 == most.0, &mut whole.spreads)?;
        }
        into.add(&whole);
        Ok(())
    }

    /// Finds the first call of each combo in most of a day that begins inside it, or the last in one that ends inside.
    fn find_edges(&self, (from, to): (i64, i64), begins: bool, spreads: &mut BTreeMap<i64, Spread>) -> Result<()> {
        let order = if begins { "at" } else { "at DESC" };
        let sql = format!("SELECT combo, at FROM call WHERE {FOLDED} ORDER BY {order}");
        let mut statement = self.db.prepare_cached(&sql).map_err(sqlite)?;
        let mut rows = statement.query((from, to, self.head.folded)).map_err(sqlite)?;
        let mut sought: FastMap<i64, &mut Spread> =
            spreads.iter_mut().map(|(combo, spread)| (*combo, spread)).collect();
        while !sought.is_empty()
            && let Some(row) = rows.next().map_err(sqlite)?
        {
            if let Some(spread) = sought.remove(&row.get(0).map_err(sqlite)?) {
                let (at, (first, last)) = (row.get(1).map_err(sqlite)?, spread.instants.unwrap_or_default());
                spread.instants = Some(if begins { (at, last) } else { (first, at) });
            }
        }
        Ok(())
    }

    fn take_calls(&mut self, from: i64, to: i64, wants: Wants, into: &mut Gathered) -> Result<()> {
        if from >= to || to <= self.bounds.0 || from >= self.bounds.1 {
            return Ok(());
        }
        if is_pruned((from, to), self.head, self.bounds) {
            return Err(cuts_pruned(self.head.pruned_before));
        }
        let mut added = Added::default();
        let (mut from, to) = (from.max(self.bounds.0), to.min(self.bounds.1));
        while from < to {
            // A span of its own for each day: where a price changes inside it, the calls are read again.
            let day = self.days.day_of(from);
            let span = Span { from, to: self.days.day_start(day + 1).min(to), tail: false };
            self.visit(FOLDED, span.from, span.to, |survey, combo, facts, _| {
                added.add(&survey.wanted, combo, facts, span, wants);
                Ok(())
            })?;
            from = span.to;
        }
        added.into(wants, into);
        Ok(())
    }

    fn visit(
        &mut self,
        which: &str,
        from: i64,
        to: i64,
        mut each: impl FnMut(&mut Self, i64, &Facts, &rusqlite::Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let db = self.db;
        let mut statement =
            db.prepare_cached(&format!("SELECT {FACT_COLUMNS} FROM call WHERE {which}")).map_err(sqlite)?;
        let mut rows = statement.query((from, to, self.head.folded)).map_err(sqlite)?;
        let mut seen = Facts::default();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let combo: i64 = row.get(1).map_err(sqlite)?;
            if !self.combo(combo)? {
                continue;
            }
            facts(db, self.names, row, &mut seen)?;
            if self.wanted.has_facets(&seen) {
                each(self, combo, &seen, row)?;
            }
        }
        Ok(())
    }
}

/// What the sums of a call that was read go to, but for its tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Base {
    span: Span,
    combo: i64,
    class: i64,
    called: i64,
    has_tools: bool,
}

/// What calls that were read add up to: calls are alike in most of what they are asked for, so that each is added to one sum,
/// which goes to the others once all are read.
#[derive(Default)]
struct Added {
    bases: FastMap<Base, Sums>,
    spreads: FastMap<i64, Spread>,
    tools: FastMap<(i64, i64), Sums>,
    share: Share,
}

impl Added {
    fn add(&mut self, wanted: &Wanted, combo: i64, facts: &Facts, span: Span, wants: Wants) {
        let Self { bases, spreads, tools, share } = self;
        let has_tools = !facts.tools.is_empty();
        let base = Base {
            span,
            combo,
            class: if wants.classes { facts.class } else { 0 },
            called: if wants.called { facts.called } else { 0 },
            has_tools,
        };
        let sums = bases.entry(base).or_default();
        if has_tools {
            share.clone_from(&facts.share);
            Facts::add_tools(&facts.tools, share);
            sums.add_share(share);
        } else {
            sums.add_share(&facts.share);
        }
        if wants.tools {
            for tool in facts.tools.iter().filter(|tool| wanted.has_tool(tool)) {
                share.clone_from(&facts.share);
                Facts::add_tools(std::slice::from_ref(tool), share);
                tools.entry((tool.tool, combo)).or_default().add_share(share);
            }
        }
        if wants.spreads {
            spreads.entry(combo).or_default().add_call(facts.at, Codes::of(&facts.sizes).iter());
        }
    }

    #[expect(clippy::iter_over_hash_type, reason = "a sum doesn't depend on the order")]
    fn into(self, wants: Wants, gathered: &mut Gathered) {
        for (Base { span, combo, class, called, has_tools }, sums) in self.bases {
            if wants.sums {
                gathered.sums.entry(combo).or_default().add(&sums);
            }
            if wants.classes {
                gathered.classes.entry(ClassKey { span, combo, class }).or_default().add(&sums);
            }
            if wants.called && called != 0 {
                gathered.called.entry((called, combo)).or_default().add(&sums);
            }
            if wants.tools && !has_tools {
                gathered.tools.entry((0, combo)).or_default().add(&sums);
            }
        }
        for (combo, spread) in self.spreads {
            gathered.spreads.entry(combo).or_default().add(&spread);
        }
        for (key, sums) in self.tools {
            gathered.tools.entry(key).or_default().add(&sums);
        }
    }
}
