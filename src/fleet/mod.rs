//! Floor 0: supervision policy, events to actions.
