//! The command line's grammar.

use std::path::PathBuf;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Keep the book on LLM tokens: count, price, record, report.
#[derive(Debug, Parser)]
#[command(name = "tokenbook", version, propagate_version = true, arg_required_else_help = true)]
pub(crate) struct Arguments {
    /// The ledger's file [default: tokenbook/ledger.db in the user's data folder].
    #[arg(long, global = true, env = "TOKENBOOK_LEDGER", value_name = "FILE")]
    pub(crate) ledger: Option<PathBuf>,

    /// Prices of your own, laid over the catalog [default: tokenbook/prices.toml or prices.json in the user's configuration folder, if there].
    #[arg(long, global = true, env = "TOKENBOOK_PRICES", value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,

    /// A folder with the vocabularies of other families than OpenAI's: that of the package `tokenbook-vocabularies`.
    #[arg(long, global = true, env = "TOKENBOOK_VOCABULARIES", value_name = "FOLDER")]
    pub(crate) vocabularies: Option<PathBuf>,

    /// Print JSON instead of tables.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Count the tokens of a text, or of a request part by part.
    Count(Count),
    /// Read what a recorded response says was used.
    Extract(Extract),
    /// Price a usage.
    Cost(Cost),
    /// Record one call, given as JSON.
    Record(Record),
    /// Record the calls, responses or exchanges of a JSONL or CSV file.
    Import(Import),
    /// Sum up the ledger by any dimensions.
    Report(Report),
    /// Tell everything about a range: totals, shares, tools, caching, limits, pace.
    Overview(Overview),
    /// Tell what could be saved, the most money first.
    Findings(Selected),
    /// Price the same calls on another model.
    WhatIf(WhatIf),
    /// Tell why one period cost more than another.
    Compare(Compare),
    /// Foretell the next days, and when a limit is used up.
    Forecast(Forecast),
    /// List recorded calls, newest first.
    List(List),
    /// Ask the ledger in SQL, read-only.
    Query(Query),
    /// Write the recorded calls to a file.
    Export(Export),
    /// Look into the price catalog.
    Prices {
        #[command(subcommand)]
        command: Prices,
    },
    /// Limit what calls may cost or how many tokens they may take.
    Budget {
        #[command(subcommand)]
        command: Budget,
    },
    /// List alerts, newest first, or change what they are about.
    Alerts {
        #[command(subcommand)]
        command: Option<Alerts>,
    },
    /// Tell what estimates are corrected by, for each model with estimated past calls.
    Calibrations,
    /// Check that nothing in the ledger was lost or changed.
    Verify,
    /// Drop old calls; their sums stay in the reports by day.
    Prune(Prune),
    /// Write a consistent copy of the ledger.
    Snapshot(Snapshot),
    /// Tell what tokenbook finds on this machine.
    Doctor,
    /// Show the ledger as a page, with a JSON API under it.
    #[cfg(feature = "serve")]
    Serve(Serve),
    /// Show running and recent calls in the terminal.
    #[cfg(feature = "top")]
    Top(Top),
    /// Run operations, one JSON object a line on standard input, one answer a line on standard output.
    Ops,
    /// Print a script that completes commands in a shell.
    Completions(Completions),
}

#[derive(Debug, Args)]
pub(crate) struct Count {
    /// The file to count; standard input without one.
    pub(crate) file: Option<PathBuf>,
    /// Count for this model.
    #[arg(long, short, conflicts_with = "encoding")]
    pub(crate) model: Option<String>,
    /// Count in this encoding.
    #[arg(long, short)]
    pub(crate) encoding: Option<String>,
    /// The file is the JSON body of a request: count it part by part.
    #[arg(long)]
    pub(crate) parts: bool,
    /// The request's wire format, such as anthropic.messages [default: told from the body].
    #[arg(long, requires = "parts")]
    pub(crate) api: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Extract {
    /// The response's file; standard input without one.
    pub(crate) file: Option<PathBuf>,
    /// The wire format, such as anthropic.messages.
    #[arg(long)]
    pub(crate) api: String,
    /// The file holds the raw bytes of a stream.
    #[arg(long)]
    pub(crate) stream: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Cost {
    /// The model.
    #[arg(long, short)]
    pub(crate) model: String,
    /// The provider that bills it.
    #[arg(long, short)]
    pub(crate) provider: Option<String>,
    /// The usage as a JSON object of tokens by kind.
    #[arg(long, short, conflicts_with_all = ["input", "output"])]
    pub(crate) usage: Option<String>,
    /// Fresh input tokens.
    #[arg(long, short)]
    pub(crate) input: Option<u64>,
    /// Output tokens.
    #[arg(long, short)]
    pub(crate) output: Option<u64>,
    /// The instant of the call, such as 2026-11-22T10:00:00Z [default: now].
    #[arg(long)]
    pub(crate) at: Option<String>,
    /// The service tier that answered.
    #[arg(long)]
    pub(crate) service_tier: Option<String>,
    /// The call was part of a batch.
    #[arg(long)]
    pub(crate) batch: bool,
    /// The region that answered.
    #[arg(long)]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Record {
    /// The call as JSON; standard input without one.
    pub(crate) call: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The file; `-` for standard input. For metadata the folder.
    pub(crate) file: PathBuf,
    /// What each line holds.
    #[arg(long, value_enum, default_value_t = ImportKind::Calls)]
    pub(crate) kind: ImportKind,
    /// The agent of calls that name none.
    #[arg(long)]
    pub(crate) agent: Option<String>,
    /// The model of metadata that name none.
    #[arg(long)]
    pub(crate) model: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ImportKind {
    /// Calls, as `export` writes them in JSONL.
    Calls,
    /// Calls, as `export` writes them in CSV.
    Csv,
    /// Raw responses: arguments of the operation `record_response`.
    Responses,
    /// Recorded exchanges: an object with `api`, `request`, `response` and, where known, `provider`, `model`, `recorded`.
    Exchanges,
    /// A folder of JSON files with `tokenUsage`; one response counts once, however many files carry it.
    Metadata,
}

#[derive(Debug, Args)]
pub(crate) struct Report {
    /// The dimensions: agent, action, model, provider, tool, session, tag, outcome, hour, day, week, month.
    #[arg(long, short, value_delimiter = ',', default_value = "model")]
    pub(crate) by: Vec<String>,
    #[command(flatten)]
    pub(crate) range: Range,
    /// The time zone of hours, days, weeks and months, such as Europe/Berlin.
    #[arg(long, alias = "tz")]
    pub(crate) time_zone: Option<String>,
    /// Write the page of `serve` for this range into one file that needs nothing else.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Overview {
    #[command(flatten)]
    pub(crate) range: Range,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// The time zone of hours and days, such as Europe/Berlin.
    #[arg(long, alias = "tz")]
    pub(crate) time_zone: Option<String>,
    /// The instant up to which time has passed [default: now].
    #[arg(long)]
    pub(crate) now: Option<String>,
}

/// A range and a filter.
#[derive(Debug, Args)]
pub(crate) struct Selected {
    #[command(flatten)]
    pub(crate) range: Range,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Args)]
pub(crate) struct WhatIf {
    /// The other model.
    pub(crate) other: String,
    /// Who would be asked [default: each call's own provider].
    #[arg(long)]
    pub(crate) at_provider: Option<String>,
    #[command(flatten)]
    pub(crate) selected: Selected,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The period before, as FROM/TO, such as 2026-10-01T00:00:00Z/2026-11-01T00:00:00Z; either end may be empty.
    pub(crate) before: String,
    /// The period after.
    pub(crate) after: String,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
}

#[derive(Debug, Args)]
pub(crate) struct Forecast {
    /// How many days ahead.
    #[arg(long, default_value_t = 14)]
    pub(crate) days: u32,
    /// Money that may be spent from today on: tell when it is used up.
    #[arg(long, value_name = "USD")]
    pub(crate) limit: Option<String>,
    #[command(flatten)]
    pub(crate) wanted: Wanted,
    /// The time zone of days, such as Europe/Berlin.
    #[arg(long, alias = "tz")]
    pub(crate) time_zone: Option<String>,
    /// The instant of asking [default: now].
    #[arg(long)]
    pub(crate) now: Option<String>,
}

/// Which calls; each may be given several times.
#[derive(Debug, Args)]
pub(crate) struct Wanted {
    /// Only calls of this agent.
    #[arg(long)]
    pub(crate) agent: Vec<String>,
    /// Only calls for this action.
    #[arg(long)]
    pub(crate) action: Vec<String>,
    /// Only calls that asked for this model.
    #[arg(long)]
    pub(crate) model: Vec<String>,
    /// Only calls to this provider.
    #[arg(long)]
    pub(crate) provider: Vec<String>,
    /// Only calls of this session.
    #[arg(long)]
    pub(crate) session: Vec<String>,
    /// Only calls with this tag.
    #[arg(long)]
    pub(crate) tag: Vec<String>,
    /// Only calls with this tool.
    #[arg(long)]
    pub(crate) tool: Vec<String>,
}

impl Wanted {
    pub(crate) fn fields(&self) -> [(&'static str, &Vec<String>); 7] {
        [
            ("agent", &self.agent),
            ("action", &self.action),
            ("model", &self.model),
            ("provider", &self.provider),
            ("session", &self.session),
            ("tag", &self.tag),
            ("tool", &self.tool),
        ]
    }
}

/// A half-open range of time.
#[derive(Debug, Args)]
pub(crate) struct Range {
    /// The first instant, such as 2026-11-01T00:00:00Z.
    #[arg(long)]
    pub(crate) from: Option<String>,
    /// The first instant after the range.
    #[arg(long)]
    pub(crate) to: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) range: Range,
    /// How many calls at most.
    #[arg(long, short, default_value_t = 20)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// A SELECT statement.
    pub(crate) sql: String,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The file to write; it must not be there yet.
    pub(crate) file: PathBuf,
    /// The form [default: by the file's ending, else jsonl].
    #[arg(long, value_enum)]
    pub(crate) format: Option<ExportFormat>,
    #[command(flatten)]
    pub(crate) range: Range,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum ExportFormat {
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated values, as RFC 4180 has them.
    Csv,
    /// Columns with exact money for whatever reads tables, newest first; it can't be imported.
    #[cfg(feature = "parquet")]
    Parquet,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Prices {
    /// Show every price that a model ever had.
    Show(PricesShow),
    /// Find models by a part of their name.
    Search(PricesSearch),
    /// Tell how another catalog file differs from the one in use.
    Diff(PricesDiff),
    /// Use a newer catalog file from now on.
    Update(PricesUpdate),
}

#[derive(Debug, Args)]
pub(crate) struct PricesShow {
    /// The model.
    pub(crate) model: String,
    /// The provider that bills it.
    #[arg(long, short)]
    pub(crate) provider: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PricesSearch {
    /// A part of the name.
    pub(crate) query: String,
    /// How many models at most.
    #[arg(long, short, default_value_t = 20)]
    pub(crate) limit: u32,
}

#[derive(Debug, Args)]
pub(crate) struct PricesDiff {
    /// The other catalog's file.
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct PricesUpdate {
    /// The newer catalog's file; none to go back to the built-in one.
    pub(crate) file: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Budget {
    /// Set a budget, or change the one of that name.
    Set(Box<BudgetSet>),
    /// Tell how all budgets stand.
    List,
    /// Remove a budget.
    Remove(BudgetRemove),
}

#[derive(Debug, Args)]
pub(crate) struct BudgetSet {
    /// What it is called.
    pub(crate) name: String,
    /// The limit in dollars.
    #[arg(long, conflicts_with = "tokens", required_unless_present = "tokens")]
    pub(crate) usd: Option<String>,
    /// The limit in tokens, input and output together.
    #[arg(long)]
    pub(crate) tokens: Option<u64>,
    /// How often it starts anew: hour, day, week, month, rolling or total.
    #[arg(long, short, default_value = "month")]
    pub(crate) period: String,
    /// The zone of its days, such as Europe/Berlin [default: UTC].
    #[arg(long, alias = "tz")]
    pub(crate) time_zone: Option<String>,
    /// How far a rolling budget looks back.
    #[arg(long)]
    pub(crate) window_minutes: Option<u64>,
    /// Only warn instead of refusing.
    #[arg(long)]
    pub(crate) soft: bool,
    /// Let calls pass that have no known price.
    #[arg(long)]
    pub(crate) allow_unpriced: bool,
    /// Only for these agents; all without one.
    #[arg(long, value_delimiter = ',')]
    pub(crate) agent: Vec<String>,
    /// Only for these actions.
    #[arg(long, value_delimiter = ',')]
    pub(crate) action: Vec<String>,
    /// Only for these models.
    #[arg(long, value_delimiter = ',')]
    pub(crate) model: Vec<String>,
    /// Only for these providers.
    #[arg(long, value_delimiter = ',')]
    pub(crate) provider: Vec<String>,
    /// Only for these sessions.
    #[arg(long, value_delimiter = ',')]
    pub(crate) session: Vec<String>,
    /// Only for calls with one of these tags.
    #[arg(long, value_delimiter = ',')]
    pub(crate) tag: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BudgetRemove {
    /// What it is called.
    pub(crate) name: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Alerts {
    /// Show the rules in use, or set them from a file of JSON.
    Rules(AlertRules),
    /// Judge the rules now, and tell what has started and ended.
    Check(AlertsCheck),
    /// Keep a rule quiet until an instant.
    Silence(AlertSilence),
}

#[derive(Debug, Args)]
pub(crate) struct AlertRules {
    /// A file with rules, in TOML (`[[rules]]`) or JSON (a list); those it leaves out are gone.
    #[arg(long, conflicts_with = "built_in")]
    pub(crate) set: Option<PathBuf>,
    /// Bring the built-in rules back.
    #[arg(long)]
    pub(crate) built_in: bool,
}

#[derive(Debug, Args)]
pub(crate) struct AlertsCheck {
    /// Also write what is told to the end of this file, one JSON object a line.
    #[arg(long)]
    pub(crate) file: Option<PathBuf>,
    /// Also send it to this address.
    #[arg(long, env = "TOKENBOOK_WEBHOOK", hide_env_values = true)]
    pub(crate) webhook: Option<String>,
    /// Send it in the form that Slack takes.
    #[arg(long, requires = "webhook")]
    pub(crate) slack: bool,
    /// Sign what is sent with this secret.
    #[arg(long, env = "TOKENBOOK_WEBHOOK_SECRET", hide_env_values = true)]
    pub(crate) secret: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AlertSilence {
    /// The rule's name.
    pub(crate) rule: String,
    /// Only for this agent, tool or budget.
    #[arg(long)]
    pub(crate) subject: Option<String>,
    /// Until when, such as 2026-12-01T00:00:00Z.
    #[arg(long)]
    pub(crate) until: String,
}

#[derive(Debug, Args)]
pub(crate) struct Prune {
    /// Drop calls before this instant.
    #[arg(long)]
    pub(crate) before: String,
}

#[derive(Debug, Args)]
pub(crate) struct Snapshot {
    /// The copy's file; it must not be there yet.
    pub(crate) file: PathBuf,
}

#[cfg(feature = "serve")]
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value_t = crate::serve::DEFAULT_ADDRESS)]
    pub(crate) listen: std::net::SocketAddr,
    /// What a visitor must know; needed for any address but the machine's own.
    #[arg(long, env = "TOKENBOOK_TOKEN", hide_env_values = true)]
    pub(crate) token: Option<String>,
}

#[cfg(feature = "top")]
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Show it once, as text, and end.
    #[arg(long)]
    pub(crate) once: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Completions {
    /// The shell.
    pub(crate) shell: Shell,
}

/// Prints the completion script of a shell.
pub(crate) fn completions(shell: Shell) {
    clap_complete::generate(shell, &mut Arguments::command(), "tokenbook", &mut std::io::stdout());
}
