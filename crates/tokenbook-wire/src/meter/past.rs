//! How long the answers of this process became, to tell how long one will.

use std::collections::{HashMap, VecDeque};
use std::sync::{LazyLock, Mutex, PoisonError};

use tokenbook::Count;
use tokenbook_ledger::{Call, Outcome};

/// The outputs of past calls of this process, to tell how long an answer may become.
pub(super) struct Past(Mutex<HashMap<Maker, VecDeque<Count>>>);

/// Who made a call: agent, action and model.
type Maker = (Option<String>, Option<String>, String);

pub(super) static PAST: LazyLock<Past> = LazyLock::new(|| Past(Mutex::default()));

impl Past {
    /// So many of the latest answers are looked at.
    const LATEST: usize = 64;
    /// Fewer say too little.
    const FEWEST: usize = 5;
    /// So many makers are remembered at most.
    const MAKERS: usize = 1_024;

    fn maker(call: &Call) -> Maker {
        (call.agent.clone(), call.action.clone(), call.model.clone())
    }

    pub(super) fn remember(&self, call: &Call) {
        let output = call.usage.as_ref().and_then(|usage| usage.total_output_tokens().ok());
        let Some(output) = output.filter(|_| !call.partial && call.outcome == Outcome::Success) else { return };
        let mut past = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let maker = Self::maker(call);
        if past.len() >= Self::MAKERS && !past.contains_key(&maker) {
            return;
        }
        let outputs = past.entry(maker).or_default();
        if outputs.len() == Self::LATEST {
            outputs.pop_front();
        }
        outputs.push_back(output);
    }

    pub(super) fn projected(&self, call: &Call, so_far: Count) -> Option<Count> {
        let past = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let outputs = past.get(&Self::maker(call)).filter(|outputs| outputs.len() >= Self::FEWEST)?;
        let longer: Vec<u64> = outputs.iter().filter(|output| **output >= so_far).map(|output| output.get()).collect();
        let mean = longer.iter().sum::<u64>().checked_div(longer.len() as u64);
        mean.map_or(Some(so_far), |mean| Count::new(mean).ok())
    }
}
