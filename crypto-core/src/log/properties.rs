//! Logs of any shape: what was valid when written is valid when read, in this order and to the bit.

use proptest::prelude::*;

use super::{testing::Organisation, *};
use crate::{account::Account, records::RevokeReason};

/// Something that may happen in an organisation; the number chooses to whom.
#[derive(Debug, Clone)]
enum Step {
    AdmitClient,
    AdmitOps,
    Rotate(usize),
    Revoke(usize, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        Just(Step::AdmitClient),
        Just(Step::AdmitOps),
        any::<usize>().prop_map(Step::Rotate),
        (any::<usize>(), any::<bool>()).prop_map(|(who, left)| Step::Revoke(who, left)),
    ];
    prop::collection::vec(step, 2..12)
}

/// Plays the steps; everybody but the founder may come and go.
fn play(steps: &[Step]) -> Organisation {
    let mut organisation = Organisation::new();
    let mut people: Vec<Account> = Vec::new();
    for step in steps {
        match step {
            Step::AdmitClient => people.push(organisation.admit(Role::Client)),
            Step::AdmitOps => people.push(organisation.admit(Role::Ops)),
            Step::Rotate(who) if !people.is_empty() => {
                let at = who % people.len();
                people[at] = organisation.rotate(&people[at]);
            }
            Step::Revoke(who, left) if !people.is_empty() => {
                let gone = people.swap_remove(who % people.len());
                let reason = if *left { RevokeReason::Left } else { RevokeReason::Compromised };
                organisation.revoke(&gone, reason);
            }
            Step::Rotate(_) | Step::Revoke(..) => {}
        }
    }
    organisation
}

/// Reads entries as a stranger would; `None` if any is refused.
fn replay(entries: &[LogEntry]) -> Option<Log> {
    let mut log = Log::found(entries[0].record.clone(), entries[0].bundle.clone()?).ok()?;
    for entry in &entries[1..] {
        log.apply(entry.record.clone(), entry.bundle.clone()).ok()?;
    }
    Some(log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_valid_log_is_read_again_and_in_no_other_order(
        steps in steps(),
        one in any::<prop::sample::Index>(),
        other in any::<prop::sample::Index>(),
    ) {
        let organisation = play(&steps);
        let entries: Vec<LogEntry> = organisation.log.entries(0).collect();
        let read = replay(&entries).unwrap();
        prop_assert_eq!(read.head(), organisation.log.head());
        prop_assert_eq!(
            read.members().filter(|member| member.is_active()).count(),
            organisation.log.members().filter(|member| member.is_active()).count()
        );

        let (one, other) = (one.index(entries.len()), other.index(entries.len()));
        if one != other {
            let mut swapped = entries.clone();
            swapped.swap(one, other);
            prop_assert!(replay(&swapped).is_none(), "entries {} and {} swapped", one, other);
        }
        if one + 1 < entries.len() {
            let mut shorter = entries.clone();
            shorter.remove(one);
            prop_assert!(replay(&shorter).is_none(), "entry {} left out", one);
        }
        let mut doubled = entries.clone();
        doubled.insert(one + 1, entries[one].clone());
        prop_assert!(replay(&doubled).is_none(), "entry {} twice", one);
    }

    #[test]
    fn any_flipped_bit_in_a_log_is_refused(
        steps in steps(),
        entry in any::<prop::sample::Index>(),
        byte in any::<prop::sample::Index>(),
        bit in 0..8_u8,
        in_bundle in any::<bool>(),
    ) {
        let mut entries: Vec<LogEntry> = play(&steps).log.entries(0).collect();
        let entry = entry.index(entries.len());
        let LogEntry { record, bundle } = &mut entries[entry];
        let target = bundle.as_mut().filter(|_| in_bundle).unwrap_or(record);
        let at = byte.index(target.payload.0.len());
        target.payload.0[at] ^= 1 << bit;
        prop_assert!(replay(&entries).is_none(), "entry {} byte {} bit {}", entry, at, bit);
    }
}
