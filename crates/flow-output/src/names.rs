//! Names of events, as nfdump spells them.

/// A firewall event (NSEL).
pub(crate) fn firewall_event(event: u64) -> &'static str {
    match event {
        0 => "IGNORE",
        1 => "CREATE",
        2 => "DELETE",
        3 => "DENIED",
        4 => "ALERT",
        5 => "UPDATE",
        _ => "UNKNOW",
    }
}

/// An event of a firewall or translator in statistics, which know fewer names.
pub(crate) fn event_of_statistic(event: u64) -> &'static str {
    match event {
        0 => "ignore",
        1 => "CREATE",
        2 => "DELETE",
        3 => "DENIED",
        _ => "UNKNOWN",
    }
}

/// A NAT event.
pub(crate) fn nat_event(event: u64) -> &'static str {
    match event {
        0 => "INVALID",
        1 => "ADD",
        2 => "DELETE",
        _ => "UNKNOW",
    }
}

/// A NAT event in the words of RFC 8158, as nfdump abridges them; empty for unassigned ones.
pub(crate) fn nat_event_long(event: u64) -> &'static str {
    const NAMES: [&str; 19] = [
        "Reserved",
        "NAT translation create",
        "NAT translation delete",
        "NAT Addresses exhausted",
        "NAT44 session create",
        "NAT44 session delete",
        "NAT64 session create",
        "NAT64 session delete",
        "NAT44 BIB create",
        "NAT44 BIB delete",
        "NAT64 BIB create",
        "NAT64 BIB delete",
        "NAT ports exhausted",
        "Quota Exceeded",
        "Address binding create",
        "Address binding delete",
        "Port block allocation",
        "Port block de-allocation",
        "Threshold Reached",
    ];
    NAMES.get(event as usize).copied().unwrap_or("")
}

/// An extended firewall event that has a name.
pub(crate) fn xevent(event: u64) -> Option<&'static str> {
    match event {
        0 => Some("Ignore"),
        1_001 => Some("I-ACL"),
        1_002 => Some("E-ACL"),
        1_003 => Some("Adap"),
        1_004 => Some("No Syn"),
        _ => None,
    }
}

/// Why a flow ended (RFC 5102), in raw's words.
pub(crate) fn end_reason(reason: u64) -> &'static str {
    match reason {
        1 => "idle timeout",
        2 => "active timeout",
        3 => "end of Flow detected",
        4 => "forced end",
        5 => "lack of resources",
        0 => "",
        _ => "undef",
    }
}

/// Why pf logged a packet, with nfdump's slip in one of the names.
pub(crate) fn pf_reason(reason: u64) -> &'static str {
    const REASONS: [&str; 15] = [
        "match",
        "bad-offset",
        "fragment",
        "short",
        "normalize",
        "memory)",
        "bad-timestamp",
        "congestion",
        "ip-option",
        "proto-cksum",
        "state-mismatch",
        "state-insert",
        "state-limit",
        "src-limit",
        "synproxy",
    ];
    usize::try_from(reason).ok().and_then(|reason| REASONS.get(reason)).copied().unwrap_or("<unknown>")
}

/// Direction of a bidirectional flow (RFC 5103), in raw's words.
pub(crate) fn biflow_direction(direction: u64) -> &'static str {
    match direction {
        1 => "initiator",
        2 => "reverseInitiator",
        3 => "perimeter",
        0 => "",
        _ => "undef",
    }
}
