//! Recording, finding and refusing calls.
use tokenbook::{Count, ErrorCode, TokenKind, Usage, Usd};
use tokenbook_ledger::{Call, CallCost, Ledger, Options, Outcome, Status, ToolTokens};

fn full_call() -> Call {
    let mut usage = Usage::new()
        .with(TokenKind::Input, 100_u32)
        .with(TokenKind::CacheRead, 900_u32)
        .with(TokenKind::Output, 50_u32)
        .with(TokenKind::InputAudio, 7_u32);
    usage.server_tool_requests.insert("web_search".into(), Count::from(2));
    let mut call = Call::new("2026-11-22T10:00:00Z".parse().expect("an instant"), "claude-x");
    call.id = Some("msg_1".into());
    call.provider = Some("anthropic".into());
    call.answered_model = Some("claude-x-20260101".into());
    call.api = Some("anthropic_messages".into());
    call.agent = Some("host".into());
    call.action = Some("generate".into());
    call.session = Some("s1".into());
    call.tags = vec!["blue".into(), "team-a".into()];
    call.operation_id = Some("op".into());
    call.attempt = Some(2);
    call.parent_id = Some("msg_0".into());
    call.usage = Some(usage);
    call.cost = CallCost::Priced {
        total_usd: Usd::parse("0.001234567891").expect("an amount"),
        price: Some(serde_json::json!({"model": "claude-x", "from": "2026-01-01", "tier": 1})),
    };
    call.max_tokens = Some(Count::from(1_000));
    call.stop_reason = Some("end_turn".into());
    call.stop_kind = Some("end".into());
    call.truncated = Some(false);
    call.duration_ms = Some(Count::from(1_234));
    call.time_to_first_token_ms = Some(Count::from(200));
    call.tools_offered = vec!["search".into(), "calc".into()];
    call.tools_called = vec!["calc".into(), "calc".into()];
    call.tool_tokens =
        vec![ToolTokens { tool: "calc".into(), definition_tokens: Some(Count::from(40)), result_tokens: None }];
    call.outcome = Outcome::Error;
    call.error_class = Some("rate_limit".into());
    call.service_tier = Some("standard".into());
    call.region = Some("eu".into());
    call.batch = Some(true);
    call.exactness = Some("measured".into());
    call.metadata = [("post".to_owned(), "42".to_owned())].into();
    call
}

fn memory() -> Ledger {
    Ledger::open_in_memory(&Options::default()).expect("a ledger")
}

#[test]
fn a_call_comes_back_as_it_went_in() {
    let ledger = memory();
    let call = full_call();
    assert_eq!(ledger.record(call.clone()).expect("recorded").status, Status::Recorded);
    assert_eq!(ledger.get("msg_1").expect("found"), call);
    ledger.checkpoint().expect("folded");
    assert_eq!(ledger.get("msg_1").expect("found in the index too"), call);
}

#[test]
fn a_repeat_is_a_duplicate_and_other_content_a_conflict() {
    let ledger = memory();
    let call = full_call();
    ledger.record(call.clone()).expect("recorded");
    for folded in [false, true] {
        if folded {
            ledger.checkpoint().expect("folded");
        }
        assert_eq!(ledger.record(call.clone()).expect("there").status, Status::Duplicate);
        let mut other = call.clone();
        other.agent = Some("editor".into());
        other.max_tokens = None;
        let error = ledger.record(other).expect_err("conflict");
        assert_eq!(error.code(), ErrorCode::Conflict);
        assert_eq!(error.details()["fields"], "agent, max_tokens");
        assert_eq!(ledger.get("msg_1").expect("unchanged"), call);
        assert_eq!(ledger.stats().expect("stats").calls, 1);
    }
}

#[test]
fn ids_are_scoped_by_provider() {
    let ledger = memory();
    let call = full_call();
    let mut other = call.clone();
    other.provider = Some("bedrock".into());
    ledger.record(call.clone()).expect("recorded");
    assert_eq!(ledger.record(other.clone()).expect("another call").status, Status::Recorded);
    assert_eq!(ledger.get("msg_1").expect_err("which").code(), ErrorCode::Conflict);
    assert_eq!(ledger.get_of(Some("bedrock"), "msg_1").expect("found"), other);
    assert_eq!(ledger.get("nope").expect_err("none").code(), ErrorCode::NotFound);
}

#[test]
fn a_call_without_an_id_is_named_by_its_content() {
    let ledger = memory();
    let mut call = full_call();
    call.id = None;
    let first = ledger.record(call.clone()).expect("recorded");
    assert_eq!(ledger.record(call.clone()).expect("there").status, Status::Duplicate);
    call.session = Some("s2".into());
    let second = ledger.record(call).expect("another");
    assert_eq!(second.status, Status::Recorded);
    assert_ne!(first.id, second.id);
}

#[test]
fn a_batch_reports_for_each_call() {
    let ledger = memory();
    let mut bad = full_call();
    bad.agent = Some("a\0b".into());
    let mut other = full_call();
    other.action = None;
    let results = ledger.record_batch(vec![full_call(), bad, full_call(), other]).expect("open");
    let codes: Vec<_> =
        results.iter().map(|one| one.as_ref().map(|one| one.status).map_err(tokenbook::Error::code)).collect();
    assert_eq!(
        codes,
        [Ok(Status::Recorded), Err(ErrorCode::InvalidArgument), Ok(Status::Duplicate), Err(ErrorCode::Conflict)]
    );
}

#[test]
fn queued_calls_are_there_after_a_flush_and_their_failures_told() {
    let ledger = memory();
    ledger.record_queued(full_call()).expect("queued");
    ledger.record_queued(full_call()).expect("queued");
    let mut other = full_call();
    other.action = None;
    ledger.record_queued(other).expect("queued");
    let flushed = ledger.flush().expect("flushed");
    assert_eq!((flushed.recorded, flushed.duplicates, flushed.failed), (1, 1, 1));
    assert_eq!(flushed.failures[0].error.code(), ErrorCode::Conflict);
    assert_eq!(ledger.flush().expect("nothing new").recorded, 0);
}

#[test]
fn sql_in_names_is_text() {
    let ledger = memory();
    let evil = "x'; DROP TABLE call; --";
    let mut call = full_call();
    call.id = Some(evil.into());
    call.agent = Some(evil.into());
    call.model = "\" OR 1=1".into();
    call.tags = vec![evil.into()];
    ledger.record(call.clone()).expect("recorded");
    assert_eq!(ledger.get(evil).expect("found"), call);
}

#[test]
fn many_threads_record_into_one_ledger_and_lose_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path, &Options::default()).expect("opened");
    std::thread::scope(|scope| {
        for thread in 0..16 {
            let ledger = &ledger;
            scope.spawn(move || {
                for at in 0..200 {
                    let mut call = full_call();
                    call.id = Some(format!("{thread}-{at}"));
                    assert_eq!(ledger.record(call).expect("recorded").status, Status::Recorded);
                }
            });
        }
    });
    drop(ledger);
    let again = Ledger::open(&path, &Options::default()).expect("opened");
    assert_eq!(again.stats().expect("stats").calls, 3_200);
    assert_eq!(again.get("15-199").expect("found").agent.as_deref(), Some("host"));
}
