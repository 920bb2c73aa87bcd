//! Adds up what a question is about, from the coarsest sums that fit.

use rusqlite::Connection;
use tokenbook::{Error, Result, Timestamp};

use crate::calendar::{Calendar, MS_PER_HOUR, Unit};
use crate::filter::{Filter, Wanted};
use crate::hash::FastMap;
use crate::report::{Group, Order, ReportQuery};
use crate::store::fold::Kind;
use crate::store::names::{Combo, Names};
use crate::store::row::{FACT_COLUMNS, Facts, ToolFacts, facts};
use crate::store::writer::HeadRow;
use crate::store::{corrupt, sqlite};
use crate::sums::{Rank, Share, Sum, Sums};

/// What a group is, in numbers; what isn't grouped by is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub(crate) struct Cell {
    pub(crate) bucket: i64,
    pub(crate) agent: i64,
    pub(crate) action: i64,
    pub(crate) model: i64,
    pub(crate) provider: i64,
    pub(crate) failed: bool,
    pub(crate) session: i64,
    pub(crate) tag: i64,
    pub(crate) tool: i64,
}

/// What came together.
pub(crate) struct Gathered {
    pub(crate) cells: FastMap<Cell, Sums>,
    pub(crate) total: Sums,
    pub(crate) overlapping: bool,
    /// Groups that aren't in the cells, since others come before them.
    pub(crate) left_out: usize,
}

/// A query, taken apart.
pub(crate) struct Question {
    pub(crate) groups: Vec<Group>,
    pub(crate) from: Option<i64>,
    pub(crate) to: Option<i64>,
    /// The unit that buckets are of; coarser groups of time are made of it afterwards.
    pub(crate) unit: Option<Unit>,
    /// How many rows are wanted at most, and what they are put in order by.
    first: Option<(usize, Rank)>,
}

impl Question {
    pub(crate) fn new(query: &ReportQuery, (from, to): (Option<i64>, Option<i64>)) -> Self {
        let mut groups = query.group_by.clone();
        groups.sort_unstable();
        groups.dedup();
        let units: Vec<_> = groups.iter().filter_map(|group| group.unit()).collect();
        let unit = match units[..] {
            [] => None,
            [unit] => Some(unit),
            [Unit::Hour, ..] => Some(Unit::Hour),
            _ => Some(Unit::Day),
        };
        let rank = match query.order {
            Some(Order::Key) => None,
            Some(Order::Calls) => Some(Rank::Calls),
            Some(Order::Tokens) => Some(Rank::Tokens),
            Some(Order::Cost) => Some(Rank::Cost),
            None => unit.is_none().then_some(Rank::Cost),
        };
        Self { groups, from, to, unit, first: query.limit.zip(rank) }
    }

    /// Whether no group needs to know whose calls they are.
    fn is_overall(&self) -> bool {
        let of_combos = [Group::Agent, Group::Action, Group::Model, Group::Provider, Group::Outcome];
        !of_combos.into_iter().any(|group| self.has(group))
    }

    pub(crate) fn has(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }
}

/// A piece of the range and where its sums come from; bounds are half open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    Months(i64, i64),
    Days(i64, i64),
    Hours(i64, i64),
    Calls(i64, i64),
    /// Most of a day: its sums, less those of the few calls in the rest of it.
    MostOfDay {
        day: i64,
        most: (i64, i64),
        rest: (i64, i64),
    },
}

/// Calls of a range that the rollups hold.
pub(crate) const FOLDED: &str = "at >= ?1 AND at < ?2 AND +seq <= ?3";
/// Calls of a range that no rollup has yet; the plus keeps SQLite off the index of instants.
pub(crate) const TAIL: &str = "+at >= ?1 AND +at < ?2 AND seq > ?3";

/// Whether any calls of a range were pruned.
pub(crate) fn is_pruned((from, to): (i64, i64), head: HeadRow, bounds: (i64, i64)) -> bool {
    from.max(bounds.0) < to.min(head.pruned_before)
}

/// Most sessions whose sums are read when the first are asked for.
const MAX_FIRST: usize = 2_000;

/// The bucket of most of a day, and the stretch of it that lies in another.
struct Parts {
    most: i64,
    rest: Option<(i64, i64, i64)>,
}

/// That the first sessions were taken.
struct FirstSessions {
    /// How many sessions were not.
    left_out: usize,
    /// The sums of all calls that no rollup has yet.
    waiting: Sums,
}

struct Gathering<'a> {
    db: &'a Connection,
    names: &'a mut Names,
    question: &'a Question,
    wanted: Wanted,
    calendar: &'a mut Calendar,
    folded: i64,
    /// Whether cells take part, or only the total.
    with_cells: bool,
    /// Whether nothing is asked of combos, so that sums over all of them will do.
    overall: bool,
    overlapping: bool,
    cells: FastMap<Cell, Sums>,
    total: Sums,
    /// What each combo becomes when grouped, none if it isn't wanted.
    combos: FastMap<i64, Option<Cell>>,
}

pub(crate) fn gather(
    db: &Connection,
    names: &mut Names,
    head: HeadRow,
    question: &Question,
    filter: &Filter,
    calendar: &mut Calendar,
    days: &mut Calendar,
) -> Result<Gathered> {
    let wanted = Wanted::find(db, filter)?;
    let several = |ids: Option<&Vec<i64>>| ids.is_some_and(|ids| ids.len() > 1);
    let session = question.has(Group::Session) || wanted.session.is_some();
    let tag = question.has(Group::Tag) || wanted.tag.is_some();
    let tool = question.has(Group::Tool) || wanted.tool.is_some();
    let overlaps = |group, ids: Option<&Vec<i64>>| question.has(group) && ids.is_none_or(|ids| ids.len() > 1);
    let overlapping = overlaps(Group::Tag, wanted.tag.as_ref()) || overlaps(Group::Tool, wanted.tool.as_ref());

    let facet = match (session, tag, tool) {
        (false, false, false) => None,
        (true, false, false) => Some(Kind::Session),
        (false, true, false) => Some(Kind::Tag),
        (false, false, true) => Some(Kind::Tool),
        _ => Some(Kind::Hour), // Stands for "several", of which no sums are kept.
    };
    let own_days = question.unit.is_none() || (question.unit != Some(Unit::Hour) && calendar.name() == days.name());
    let bounds = bounds(db)?;
    let overall = question.is_overall() && wanted.has_every_combo();
    let whole_hours = || question.unit.is_none() || calendar.has_whole_hours(bounds.0, bounds.1);
    // Days of another zone are made of ours and of the hours by which they differ; over all combos, hours are few enough.
    let by_days = !own_days && facet.is_none() && question.unit != Some(Unit::Hour);
    let shifted = by_days && !overall && days.has_whole_hours(bounds.0, bounds.1);
    let call_by_call = match facet {
        None => !own_days && !whole_hours(),
        Some(Kind::Hour) => true,
        // Of several tags or tools at once, sums can't tell calls that have two of them.
        Some(_) => !own_days || several(wanted.tag.as_ref()) || several(wanted.tool.as_ref()),
    };

    let months = own_days
        && !matches!(question.unit, Some(Unit::Day | Unit::Week))
        && facet.is_none_or(|kind| kind.by_month().is_some());
    let mut gathering = Gathering {
        db,
        names,
        question,
        wanted,
        calendar,
        folded: head.folded,
        with_cells: true,
        overall,
        overlapping,
        cells: FastMap::default(),
        total: Sums::default(),
        combos: FastMap::default(),
    };
    let from = question.from.unwrap_or_else(|| start_of_all(days));
    let to = question.to.unwrap_or_else(|| end_of_all(days));
    let only_sessions = question.groups == [Group::Session] && gathering.wanted.has_everything();
    let first = question.first.filter(|_| only_sessions && overall && !call_by_call);
    let mut first_sessions = None;
    if let Some((limit, rank)) = first {
        first_sessions = gathering.take_first_sessions(limit, rank, (from, to), days, head, bounds)?;
    }
    if first_sessions.is_none() {
        let parts = if call_by_call {
            vec![Piece::Calls(from, to)]
        } else {
            pieces(days, from, to, &Fit { days: own_days || shifted, hours: facet.is_none(), months })
        };
        let zone = shifted.then_some(&mut *days);
        gathering.take(&parts, facet.unwrap_or(Kind::Day), zone, head, bounds)?;
        gathering.take_tail(from, to)?;
    }
    let apart = overlapping && !call_by_call || first_sessions.is_some();
    if apart {
        // Rows overlap, or are not all there: the total is of calls, each once.
        gathering.with_cells = false;
        gathering.total = first_sessions.as_ref().map(|first| first.waiting.clone()).unwrap_or_default();
        let whole = pieces(days, from, to, &Fit { days: true, hours: true, months: true });
        gathering.take(&whole, Kind::Day, None, head, bounds)?;
        if first_sessions.is_none() {
            gathering.take_tail(from, to)?;
        }
    }
    let Gathering { cells, mut total, .. } = gathering;
    if !overlapping && first_sessions.is_none() {
        // Each call is in one cell.
        total = Sums::of_all(cells.values());
    }
    Ok(Gathered { cells, total, overlapping, left_out: first_sessions.map_or(0, |first| first.left_out) })
}

pub(crate) fn start_of_all(days: &mut Calendar) -> i64 {
    let day = days.day_of(Timestamp::MIN.ms());
    days.day_start(day)
}

pub(crate) fn end_of_all(days: &mut Calendar) -> i64 {
    let day = days.day_of(Timestamp::MAX.ms());
    days.day_start(day + 1)
}

/// The hours that hold all calls, pruned ones too; at least one hour wide.
pub(crate) fn bounds(db: &Connection) -> Result<(i64, i64)> {
    let edge = |sql: &str| -> Result<Option<i64>> {
        db.prepare_cached(sql).and_then(|mut found| found.query_row([], |row| row.get(0))).map_err(sqlite)
    };
    let hour = Kind::Hour as i64;
    let first_hour = edge(&format!("SELECT min(bucket) FROM roll WHERE kind = {hour}"))?;
    let last_hour = edge(&format!("SELECT max(bucket) FROM roll WHERE kind = {hour}"))?;
    let (first, last) = (edge("SELECT min(at) FROM call")?, edge("SELECT max(at) FROM call")?);
    let from = first_hour.map(|hour| hour * MS_PER_HOUR).into_iter().chain(first).min().unwrap_or(0);
    let to = last_hour.map(|hour| (hour + 1) * MS_PER_HOUR).into_iter().chain(last.map(|at| at + 1)).max();
    Ok((from, to.unwrap_or(0).max(from + MS_PER_HOUR)))
}

/// Which sums answer a question.
pub(crate) struct Fit {
    pub(crate) months: bool,
    pub(crate) days: bool,
    pub(crate) hours: bool,
}

/// Cuts a range into whole months, whole days and hours at their sides, and the calls that are left at the edges.
pub(crate) fn pieces(days: &mut Calendar, from: i64, to: i64, fit: &Fit) -> Vec<Piece> {
    let mut pieces = Vec::new();
    if fit.days {
        let mut first = days.day_of(from);
        if days.day_start(first) < from {
            first += 1;
        }
        let last = days.day_of(to);
        if first < last {
            let (start, end) = (days.day_start(first), days.day_start(last));
            push_edge(&mut pieces, days, first - 1, (from, start), fit);
            push_months(&mut pieces, days, first, last, fit.months);
            push_edge(&mut pieces, days, last, (end, to), fit);
            return pieces;
        }
    }
    push_hours(&mut pieces, from, to, fit.hours);
    pieces
}

fn push_months(pieces: &mut Vec<Piece>, days: &mut Calendar, from: i64, to: i64, by_month: bool) {
    let mut first = Calendar::first_day(Unit::Month, from);
    if first < from {
        first = days.next(Unit::Month, first);
    }
    let last = Calendar::first_day(Unit::Month, to);
    if by_month && first < last {
        pieces.push(Piece::Days(from, first));
        pieces.push(Piece::Months(first, last));
        pieces.push(Piece::Days(last, to));
    } else {
        pieces.push(Piece::Days(from, to));
    }
}

/// What a range has of a day, up to its end or from its start on.
fn push_edge(pieces: &mut Vec<Piece>, days: &mut Calendar, day: i64, (from, to): (i64, i64), fit: &Fit) {
    if from < to && !fit.hours {
        let (start, end) = (days.day_start(day), days.day_start(day + 1));
        let rest = if from == start { (to, end) } else { (start, from) };
        if to - from > rest.1 - rest.0 {
            pieces.push(Piece::MostOfDay { day, most: (from, to), rest });
            return;
        }
    }
    push_hours(pieces, from, to, fit.hours);
}

fn push_hours(pieces: &mut Vec<Piece>, from: i64, to: i64, by_hour: bool) {
    let mut push = |from, to| {
        if from < to {
            pieces.push(Piece::Calls(from, to));
        }
    };
    let first = from.div_euclid(MS_PER_HOUR) + i64::from(from.rem_euclid(MS_PER_HOUR) > 0);
    let last = to.div_euclid(MS_PER_HOUR);
    if by_hour && first < last {
        push(from, first * MS_PER_HOUR);
        push(last * MS_PER_HOUR, to);
        pieces.push(Piece::Hours(first, last));
    } else {
        push(from, to);
    }
}

impl Gathering<'_> {
    /// Takes what the pieces say; with `shifted`, whose days the rollups are of, into days of another zone.
    fn take(
        &mut self,
        pieces: &[Piece],
        kind: Kind,
        mut shifted: Option<&mut Calendar>,
        head: HeadRow,
        bounds: (i64, i64),
    ) -> Result<()> {
        for piece in pieces {
            match *piece {
                Piece::Months(from, to) => {
                    let kind = kind.by_month().expect("pieces of months are cut for these only");
                    self.take_rollup(kind, from, to, bounds)?;
                }
                Piece::Days(from, to) => match &mut shifted {
                    Some(days) => self.take_shifted(days, from, to, bounds)?,
                    None => self.take_rollup(self.kept(kind), from, to, bounds)?,
                },
                Piece::Hours(from, to) => self.take_rollup(self.kept(Kind::Hour), from, to, bounds)?,
                Piece::MostOfDay { day, rest, .. } if !is_pruned(rest, head, bounds) => {
                    self.take_most_of_day(kind, day, rest, bounds)?;
                }
                Piece::Calls(from, to) | Piece::MostOfDay { most: (from, to), .. } => {
                    if is_pruned((from, to), head, bounds) {
                        return Err(cuts_pruned(head.pruned_before));
                    }
                    // Of everything, a scan is much faster than the index of instants.
                    let all = from <= bounds.0 && to >= bounds.1;
                    let which = if all { "+at >= ?1 AND +at < ?2 AND seq <= ?3" } else { FOLDED };
                    self.take_calls(which, from, to)?;
                }
            }
        }
        Ok(())
    }

    /// Takes a day without the calls in one part of it.
    fn take_most_of_day(&mut self, kind: Kind, day: i64, rest: (i64, i64), bounds: (i64, i64)) -> Result<()> {
        let cells = std::mem::take(&mut self.cells);
        self.take_calls(FOLDED, rest.0, rest.1)?;
        let less = std::mem::take(&mut self.cells);
        self.take_rollup(self.kept(kind), day, day + 1, bounds)?;
        #[expect(clippy::iter_over_hash_type, reason = "a sum doesn't depend on the order")]
        for (cell, less) in &less {
            self.cells.entry(*cell).or_default().subtract(less)?;
        }
        let most = std::mem::replace(&mut self.cells, cells);
        for (cell, sums) in most.iter().filter(|(_, sums)| sums.get(Sum::Calls) > 0) {
            self.cells.entry(*cell).or_default().add(sums);
        }
        Ok(())
    }

    /// The coarsest kind that will do.
    fn kept(&self, kind: Kind) -> Kind {
        // Of sessions, the sums over all combos are by month.
        if self.overall && kind != Kind::Session { kind.overall().unwrap_or(kind) } else { kind }
    }

    /// Days of the ledger's zone as days of another: each of them is two parts of those, of which the shorter is read by
    /// its hours and the longer is what is left of the day.
    fn take_shifted(&mut self, days: &mut Calendar, from: i64, to: i64, bounds: (i64, i64)) -> Result<()> {
        let unit = self.question.unit.expect("a question by days");
        let (first, last) = (days.day_of(bounds.0).max(from), (days.day_of(bounds.1) + 1).min(to));
        let mut parts = Vec::new();
        for day in first..last {
            let (start, end) = (days.day_start(day), days.day_start(day + 1));
            let (before, after) = (self.calendar.bucket_of(unit, start), self.calendar.bucket_of(unit, end - 1));
            let last_day = self.calendar.day_of(end - 1);
            let cut = self.calendar.day_start(last_day);
            parts.push(if before == after {
                Parts { most: before, rest: None }
            } else if cut - start > end - cut {
                Parts { most: before, rest: Some((after, cut, end)) }
            } else {
                Parts { most: after, rest: Some((before, start, cut)) }
            });
        }
        let db = self.db;
        let sql = "SELECT bucket, combo, sums FROM roll WHERE kind = ?1 AND bucket >= ?2 AND bucket < ?3";
        let mut statement = db.prepare_cached(sql).map_err(sqlite)?;
        let part_of = |day: i64| usize::try_from(day - first).ok().and_then(|at| parts.get(at));
        let mut rows = statement.query((Kind::Day as i64, first, last)).map_err(sqlite)?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let Some(cell) = self.combo(row.get(1).map_err(sqlite)?)? else { continue };
            let part = part_of(row.get(0).map_err(sqlite)?).expect("a day of the range");
            let sums = row.get_ref(2).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a rollup"))?;
            self.cells.entry(Cell { bucket: part.most, ..cell }).or_default().add_written(sums)?;
        }
        drop(rows);
        for Parts { most, rest } in &parts {
            let Some((bucket, from, to)) = *rest else { continue };
            let hours = (Kind::Hour as i64, from.div_euclid(MS_PER_HOUR), to.div_euclid(MS_PER_HOUR));
            let mut rows = statement.query(hours).map_err(sqlite)?;
            while let Some(row) = rows.next().map_err(sqlite)? {
                let Some(cell) = self.combo(row.get(1).map_err(sqlite)?)? else { continue };
                let sums = row.get_ref(2).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a rollup"))?;
                let mut hour = Sums::default();
                hour.add_written(sums)?;
                self.cells.entry(Cell { bucket, ..cell }).or_default().add(&hour);
                self.cells.entry(Cell { bucket: *most, ..cell }).or_default().subtract(&hour)?;
            }
        }
        // A day may have calls in its shorter part alone.
        self.cells.retain(|_, sums| sums.get(Sum::Calls) > 0);
        Ok(())
    }

    /// The sessions that come first: all are ranked by one sum, and the others are read of the first alone, since sessions
    /// may be without number. None when too many rank alike.
    fn take_first_sessions(
        &mut self,
        limit: usize,
        rank: Rank,
        (from, to): (i64, i64),
        days: &mut Calendar,
        head: HeadRow,
        bounds: (i64, i64),
    ) -> Result<Option<FirstSessions>> {
        let parts = pieces(days, from, to, &Fit { days: true, hours: false, months: true });
        let (rolled, edges): (Vec<Piece>, Vec<Piece>) =
            parts.into_iter().partition(|piece| matches!(piece, Piece::Months(..) | Piece::Days(..)));
        self.take_tail(from, to)?;
        let waiting = Sums::of_all(self.cells.values());
        self.take(&edges, Kind::Session, None, head, bounds)?;
        // Rows come in order of their session within a month or day: put in order as a whole, neighbours add up, which is
        // faster than to look each of them up.
        let mut ranks: Vec<(i64, u128)> =
            self.cells.iter().map(|(cell, sums)| (cell.session, sums.rank(rank))).collect();
        let db = self.db;
        let sql = "SELECT facet, sums FROM roll WHERE kind = ?1 AND bucket >= ?2 AND bucket < ?3";
        let mut statement = db.prepare_cached(sql).map_err(sqlite)?;
        for piece in &rolled {
            let (kind, from, to) = match *piece {
                Piece::Months(from, to) => (Kind::SessionOverall, from, to),
                Piece::Days(from, to) => (Kind::Session, from, to),
                _ => continue,
            };
            let mut rows = statement.query((kind as i64, from, to)).map_err(sqlite)?;
            while let Some(row) = rows.next().map_err(sqlite)? {
                let sums = row.get_ref(1).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a rollup"))?;
                ranks.push((row.get(0).map_err(sqlite)?, Sums::rank_of_written(sums, rank)?));
            }
        }
        ranks.sort_by_key(|(session, _)| *session);
        ranks.dedup_by(|more, sum| {
            let same = more.0 == sum.0;
            sum.1 += if same { more.1 } else { 0 };
            same
        });
        let mut order: Vec<u128> = ranks.iter().map(|(_, rank)| *rank).collect();
        let least = if order.len() > limit {
            let (_, least, _) = order.select_nth_unstable_by(limit - 1, |one, two| two.cmp(one));
            *least
        } else {
            0
        };
        // Those that rank alike are put in order by name, for which they are needed.
        let mut first: Vec<i64> = ranks.iter().filter(|ranked| ranked.1 >= least).map(|ranked| ranked.0).collect();
        first.sort_unstable();
        if first.len() > MAX_FIRST.max(2 * limit) {
            self.cells.clear();
            self.total = Sums::default();
            return Ok(None);
        }
        self.cells.retain(|cell, _| first.binary_search(&cell.session).is_ok());
        self.wanted.session = Some(first.clone());
        for piece in &rolled {
            match *piece {
                Piece::Months(from, to) => self.take_rollup(Kind::SessionOverall, from, to, bounds)?,
                Piece::Days(from, to) => self.take_rollup(Kind::Session, from, to, bounds)?,
                _ => {}
            }
        }
        self.wanted.session = None;
        Ok(Some(FirstSessions { left_out: ranks.len() - first.len(), waiting }))
    }

    /// The calls that no rollup has yet.
    fn take_tail(&mut self, from: i64, to: i64) -> Result<()> {
        self.take_calls(TAIL, from, to)
    }

    /// A combo as a cell, if it is wanted.
    fn combo(&mut self, id: i64) -> Result<Option<Cell>> {
        if let Some(cell) = self.combos.get(&id) {
            return Ok(*cell);
        }
        if id == 0 {
            return Ok(Some(Cell::default())); // Over all combos.
        }
        let combo = self.names.combo(self.db, id)?;
        let cell = self.wanted.has_combo(&combo).then(|| self.cell(&combo));
        self.combos.insert(id, cell);
        Ok(cell)
    }

    fn cell(&self, combo: &Combo) -> Cell {
        let grouped = |group, value| if self.question.has(group) { value } else { 0 };
        Cell {
            agent: grouped(Group::Agent, combo.agent),
            action: grouped(Group::Action, combo.action),
            model: grouped(Group::Model, combo.model),
            provider: grouped(Group::Provider, combo.provider),
            failed: self.question.has(Group::Outcome) && combo.failed,
            ..Cell::default()
        }
    }

    fn take_rollup(&mut self, kind: Kind, from: i64, to: i64, bounds: (i64, i64)) -> Result<()> {
        let facets = match kind {
            Kind::Session | Kind::SessionOverall => self.wanted.session.clone(),
            Kind::Tag | Kind::TagMonth => self.wanted.tag.clone(),
            Kind::Tool | Kind::ToolMonth | Kind::ToolOverall => self.wanted.tool.clone(),
            _ => None,
        };
        let db = self.db;
        let Some(facets) = facets else {
            let sql = "SELECT bucket, facet, combo, sums FROM roll WHERE kind = ?1 AND bucket >= ?2 AND bucket < ?3";
            let mut statement = db.prepare_cached(sql).map_err(sqlite)?;
            let rows = statement.query((kind as i64, from, to)).map_err(sqlite)?;
            return self.add_rollup(kind, rows);
        };
        // A few of very many: looked up day by day instead of read past.
        let sql = "SELECT bucket, facet, combo, sums FROM roll WHERE kind = ?1 AND bucket = ?2 AND facet = ?3";
        let mut statement = db.prepare_cached(sql).map_err(sqlite)?;
        // Some days to each side: the bounds are instants, and months start before.
        let (first, last) = (bounds.0.div_euclid(24 * MS_PER_HOUR) - 33, bounds.1.div_euclid(24 * MS_PER_HOUR) + 2);
        for day in from.max(first)..to.min(last) {
            if kind.is_of_months() && Calendar::first_day(Unit::Month, day) != day {
                continue;
            }
            for facet in &facets {
                let rows = statement.query((kind as i64, day, facet)).map_err(sqlite)?;
                self.add_rollup(kind, rows)?;
            }
        }
        Ok(())
    }

    fn add_rollup(&mut self, kind: Kind, mut rows: rusqlite::Rows<'_>) -> Result<()> {
        let mut last = None;
        while let Some(row) = rows.next().map_err(sqlite)? {
            let bucket: i64 = row.get(0).map_err(sqlite)?;
            let facet: i64 = row.get(1).map_err(sqlite)?;
            let Some(mut cell) = self.combo(row.get(2).map_err(sqlite)?)? else { continue };
            let sums = row.get_ref(3).map_err(sqlite)?.as_blob().map_err(|_| corrupt("a rollup"))?;
            if !self.with_cells {
                self.total.add_written(sums)?;
                continue;
            }
            if let Some(unit) = self.question.unit {
                cell.bucket = match last {
                    Some((known, becomes)) if known == bucket => becomes,
                    _ if matches!(kind, Kind::Hour | Kind::HourOverall) => {
                        self.calendar.bucket_of(unit, bucket * MS_PER_HOUR)
                    }
                    _ => Calendar::first_day(unit, bucket),
                };
                last = Some((bucket, cell.bucket));
            }
            match kind {
                Kind::Session | Kind::SessionOverall if self.question.has(Group::Session) => cell.session = facet,
                Kind::Tag | Kind::TagMonth if self.question.has(Group::Tag) => cell.tag = facet,
                Kind::Tool | Kind::ToolMonth | Kind::ToolOverall if self.question.has(Group::Tool) => cell.tool = facet,
                _ => {}
            }
            self.cells.entry(cell).or_default().add_written(sums)?;
        }
        Ok(())
    }

    fn take_calls(&mut self, which: &str, from: i64, to: i64) -> Result<()> {
        let sql = format!("SELECT {FACT_COLUMNS} FROM call WHERE {which}");
        let db = self.db;
        let mut statement = db.prepare_cached(&sql).map_err(sqlite)?;
        let mut rows = statement.query((from, to, self.folded)).map_err(sqlite)?;
        let mut seen = Facts::default();
        let mut share = Share::default();
        while let Some(row) = rows.next().map_err(sqlite)? {
            let Some(cell) = self.combo(row.get(1).map_err(sqlite)?)? else { continue };
            facts(db, self.names, row, &mut seen)?;
            if self.wanted.has_facets(&seen) {
                self.add_call(cell, &seen, &mut share);
            }
        }
        Ok(())
    }

    fn add_call(&mut self, mut cell: Cell, facts: &Facts, share: &mut Share) {
        // Where one tool is asked for, a call's tool figures are those of that tool alone.
        let some: Vec<ToolFacts>;
        let tools = if self.wanted.tool.is_some() {
            some = facts.tools.iter().copied().filter(|tool| self.wanted.has_tool(tool)).collect();
            &some
        } else {
            &facts.tools
        };
        let share = if tools.is_empty() {
            &facts.share
        } else {
            share.clone_from(&facts.share);
            Facts::add_tools(tools, share);
            &*share
        };
        if !self.with_cells || self.overlapping {
            self.total.add_share(share);
        }
        if !self.with_cells {
            return;
        }
        if let Some(unit) = self.question.unit {
            cell.bucket = self.calendar.bucket_of(unit, facts.at);
        }
        if self.question.has(Group::Session) {
            cell.session = facts.session;
        }
        if !self.question.has(Group::Tag) || facts.tags.is_empty() {
            return self.add_to(cell, facts, tools, share);
        }
        for tag in &facts.tags {
            if self.wanted.has_tag(*tag) {
                self.add_to(Cell { tag: *tag, ..cell }, facts, tools, share);
            }
        }
    }

    /// Adds a call to a cell, or to one for each tool.
    fn add_to(&mut self, cell: Cell, facts: &Facts, tools: &[ToolFacts], share: &Share) {
        if !self.question.has(Group::Tool) || tools.is_empty() {
            self.cells.entry(cell).or_default().add_share(share);
            return;
        }
        for tool in tools {
            let mut one = facts.share.clone();
            Facts::add_tools(std::slice::from_ref(tool), &mut one);
            self.cells.entry(Cell { tool: tool.tool, ..cell }).or_default().add_share(&one);
        }
    }
}

#[cold]
pub(crate) fn cuts_pruned(before: i64) -> Error {
    let before = Timestamp::from_ms(before).map_or_else(|_| String::new(), |at| at.to_string());
    Error::invalid(format!(
        "calls before {before} were pruned: for that time, ask for whole days or hours, and not across sessions, tags and tools at once"
    ))
    .with("pruned_before", before)
}
