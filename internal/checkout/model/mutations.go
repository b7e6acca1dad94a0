package main

import "slices"

// mutation leaves one rule out, and is caught: by an invariant in a scenario, by a shortest trace of so many steps.
type mutation struct {
	rule, name string
	set        func(v *variant)
	scenario   string
	breaks     invariant
	steps      int
}

// mutations are what the rules are worth.
func mutations() []mutation {
	return []mutation{
		{"1", "ep is valid on any server", func(v *variant) { v.noInstance = true }, "failover", oversold, 14},
		{"1", "the instance is run_id alone", func(v *variant) { v.runIDOnly = true }, "failover", oversold, 15},
		{"3", "other lines are a failure", func(v *variant) { v.otherLinesFailed = true }, "cartlines", failedThenSold, 10},
		{"3", "the caller makes the token", func(v *variant) { v.callersToken = true }, "stray", stockDiffers, 8},
		{"3", "reserve has no least epoch", func(v *variant) { v.anyEpoch = true }, "dupreb", stuck, 1},
		{"4", "the least is the store's epoch, though the hold's is newer", func(v *variant) { v.storesMinimum = true }, "reset", stuck, 1},
		{"4", "a newer ep stays, when Spanner has an old epoch again", func(v *variant) { v.newerStays, v.oldEpochBack = true, true }, "resetstock", stockDiffers, 4},
		{"5", "no epoch check", func(v *variant) { v.noEpochCheck = true }, "failover", oversold, 14},
		{"5", "no epoch check", func(v *variant) { v.noEpochCheck = true }, "dupreb", stockDiffers, 8},
		{"5", "the commit overwrites a tombstone", func(v *variant) { v.noOrderCheck = true }, "dup", wrongMoney, 10},
		{"5", "settle never gives back", func(v *variant) { v.plainSettle = true }, "dup2", stockDiffers, 9},
		{"5", "settle compares the epoch only", func(v *variant) { v.settleByEpoch = true }, "dup2", stockDiffers, 9},
		{"5", "settle takes the caller's own hold", func(v *variant) { v.settleOwn = true }, "dup2", stockDiffers, 12},
		{"5", "success is told before the commit", func(v *variant) { v.successEarly = true }, "dup", falseSuccess, 5},
		{"6", "insufficient is told at once", func(v *variant) { v.insufficientAtOnce = true }, "dup", failedThenSold, 9},
		{"6", "insufficient is told after a look", func(v *variant) { v.insufficientReads = true }, "dup", failedThenSold, 13},
		{"6", "a refusal is told at once", func(v *variant) { v.refusalAtOnce = true }, "cart", failedThenSold, 9},
		{"6", "a refusal is told after a look", func(v *variant) { v.refusalReads = true }, "cart", failedThenSold, 10},
		{"6", "failure is told before the tombstone", func(v *variant) { v.failureEarly = true }, "dup", failedThenSold, 9},
		{"7", "no tombstone", func(v *variant) { v.noTombstone = true }, "dup", wrongMoney, 10},
		{"7", "b before a: cancelled before the tombstone", func(v *variant) { v.cancelFirst = true }, "dup", wrongMoney, 8},
		{"7", "c before b: VOIDED before it is cancelled", func(v *variant) { v.voidedFirst = true }, "dup", wrongMoney, 8},
		{"7", "a state DECLINED beside the tombstone", func(v *variant) { v.declinedState = true }, "dup", wrongMoney, 11},
		{"7", "a state DECLINED, no tombstone", func(v *variant) { v.declinedState, v.declinedNoTombstone = true, true }, "dup", failedThenSold, 11},
		{"7", "no refund of what is captured", func(v *variant) { v.noRefund = true }, "cap", wrongMoney, 9},
		{"7", "captured counts as cancelled", func(v *variant) { v.capturedIsCancelled = true }, "cap", wrongMoney, 9},
		{"7", "processing counts as cancelled", func(v *variant) { v.processingIsCancelled = true }, "proc", wrongMoney, 5},
		{"7", "a cancel doesn't end the action", func(v *variant) { v.actionGoesOn = true }, "act", wrongMoney, 5},
		{"7", "release without a hold gives back", func(v *variant) { v.releaseBlind = true }, "dup", stockDiffers, 6},
		{"7", "refunds in full, whatever went back before", func(v *variant) { v.refundInFull = true }, "refund", wrongMoney, 12},
		{"7", "the key of that refund is without its amount", func(v *variant) { v.keyWithoutAmount = true }, "refund", wrongMoney, 16},
		{"7", "VOIDED doesn't record the amounts", func(v *variant) { v.amountsUnrecorded = true }, "refund", refundsDiffer, 9},
		{"8", "apply with an older ep", func(v *variant) { v.appliesAnyEpoch = true }, "restock", stockDiffers, 4},
		{"8", "apply adds what the load had", func(v *variant) { v.appliesLoaded = true }, "restock", stockDiffers, 2},
		{"8", "applied isn't kept", func(v *variant) { v.appliesTwice = true }, "restock", stockDiffers, 3},
		{"8", "applied forgets", func(v *variant) { v.appliedForgets = true }, "applied", stockDiffers, 11},
		{"8", "a cancelled order's hold is released", func(v *variant) { v.releasesCancelled = true }, "cancel", stockDiffers, 7},
		{"8", "a withdrawal without a hold", func(v *variant) { v.withdrawsUnheld = true }, "wd", stockDiffers, 2},
		{"8", "a withdrawal without a hold", func(v *variant) { v.withdrawsUnheld = true }, "wd", oversold, 8},
		{"8", "a withdrawal without the epoch check", func(v *variant) { v.withdrawsAnyEpoch = true }, "wd", stockDiffers, 5},
		{"8", "a withdrawal without the epoch check", func(v *variant) { v.withdrawsAnyEpoch = true }, "wdorders", oversold, 11},
		{"8", "a withdrawal's overdue hold is released", func(v *variant) { v.overdueReleased = true }, "wd", stockDiffers, 5},
		{"8", "a withdrawal's overdue hold is released", func(v *variant) { v.overdueReleased = true }, "wd", oversold, 11},
		{"8", "nobody looks after a withdrawal's hold", func(v *variant) { v.overdueNotAttended = true }, "wd", holdLeft, 2},
		{"8", "apply keeps the hold of what is applied", func(v *variant) { v.appliedKeepsHold = true }, "wdreb", holdLeft, 6},
		{"8", "apply keeps the hold of what the load had", func(v *variant) { v.loadedKeepsHold = true }, "wdreb", holdLeft, 7},
		{"8", "apply gives back though it isn't done", func(v *variant) { v.notDoneDropsHold = true }, "wdfull", stockDiffers, 4},
		{"8", "apply takes the hold's epoch", func(v *variant) { v.appliesHoldsEpoch = true }, "wdreb", stockDiffers, 9},
		{"8", "underflow is told without a second look", func(v *variant) { v.underflowAtOnce = true }, "wd", failedThenSold, 6},
		{"8", "a withdrawal that has a twin releases its hold", func(v *variant) { v.releasesOwnHold = true }, "wd", stockDiffers, 7},
		{"9", "load keeps the holds", func(v *variant) { v.loadKeepsHolds = true }, "failover", oversold, 15},
		{"9", "load keeps the holds", func(v *variant) { v.loadKeepsHolds = true }, "dupreb", stockDiffers, 3},
		{"9", "a load is executed twice", func(v *variant) { v.loadTwice = true }, "restock", oversold, 15},
		{"9", "a load is executed twice", func(v *variant) { v.loadTwice = true }, "dupreb", stockDiffers, 9},
		{"9", "a load is executed twice, though it compares epochs", func(v *variant) { v.loadTwice, v.loadCompares = true, true }, "restock", oversold, 16},
		{"9", "epochs are counted up", func(v *variant) { v.epochCounts = true }, "reset", oversold, 16},
		{"9", "epochs are counted up from what is seen in Redis", func(v *variant) { v.epochFromSeen = true }, "reset", oversold, 16},
		{"9", "the sum is read later", func(v *variant) { v.sum = sumLater }, "restock", stockDiffers, 4},
		{"9", "the sum is read later, its rows by their epochs", func(v *variant) { v.sum = sumLaterOlder }, "fold", stockDiffers, 5},
		{"10", "confirms its own intent", func(v *variant) { v.confirmsOwn = true }, "keyexp", twoAuthorised, 12},
		{"10", "confirms its own intent", func(v *variant) { v.confirmsOwn = true }, "keyexp", wrongMoney, 11},
		{"10", "no row before the confirmation", func(v *variant) { v.noRow = true }, "dup", wrongMoney, 4},
		{"10", "no intent apart from its confirmation", func(v *variant) { v.oneCharge = true }, "dup", wrongMoney, 10},
		{"10", "no intent apart, but a look at the order first", func(v *variant) { v.oneCharge, v.initiateLooks = true, true }, "dup", wrongMoney, 10},
		{"10", "the row's lines aren't compared", func(v *variant) { v.linesAgreed = true }, "cartlines", otherLinesSold, 16},
		{"10", "a re-entry takes the cart's lines", func(v *variant) { v.cartsLines = true }, "cartact", otherLinesSold, 13},
		{"10", "a re-entry commits without a hold", func(v *variant) { v.unheld = true }, "actcomp", oversold, 15},
		{"10", "a re-entry commits without a hold", func(v *variant) { v.unheld = true }, "act", stockDiffers, 8},
		{"11", "no reaper", func(v *variant) { v.noReaper = true }, "dup", holdLeft, 2},
		{"11", "no reconciler", func(v *variant) { v.noReconciler = true }, "dup", wrongMoney, 8},
		{"11", "no reconciler", func(v *variant) { v.noReconciler = true }, "actreb", wrongMoney, 5},
		{"12", "CAPTURED over any state", func(v *variant) { v.captureBlind = true }, "cap", wrongMoney, 10},
		{"12", "a refused capture isn't recorded", func(v *variant) { v.expiredUncounted = true }, "capexp", wrongMoney, 7},
		{"12", "a refused capture leaves the order", func(v *variant) { v.refusedStays = true }, "capexp", wrongMoney, 7},
		{"refunds", "the provider is asked first", func(v *variant) { v.refundUnrecorded = true }, "refund", refundsDiffer, 11},
		{"refunds", "each call has a new key", func(v *variant) { v.refundNewKey = true }, "refundtwin", refundsDiffer, 11},
		{"refunds", "DONE is added to what is VOIDED", func(v *variant) { v.refundAfterVoided = true }, "refund", refundsDiffer, 12},
		{"refunds", "a refused one is DONE", func(v *variant) { v.refusedIsDone = true }, "refund", refundsDiffer, 11},
		{"refunds", "a lost reply is a refusal", func(v *variant) { v.unknownIsFailed = true }, "refund", refundsDiffer, 12},
	}
}

// alternative is something else that breaks nothing: all states of some scenarios were looked at.
type alternative struct {
	rule, name string
	set        func(v *variant)
	scenarios  []string
}

// alternatives are what the rules could do without, or do otherwise.
func alternatives() []alternative {
	folding := []string{"fold", "foldcanc"}
	ends := []string{"dup", "reap2", "stray", "act", "proc", "procreb", "cap", "capreb", "capexp"}
	rebuilds := []string{"dupreb", "flush", "failover", "failoverW", "restock", "reset", "wdreb"}
	return []alternative{
		{"7", "d comes after c", func(v *variant) { v.releaseLast = true }, ends},
		{"7", "release and settle check ep", func(v *variant) { v.releaseChecksEpoch = true }, slices.Concat(rebuilds, ends)},
		{"8", "apply adds and leaves the hold; who comes next gives it back", func(v *variant) { v.applyKeepsHold = true }, []string{"wd", "wdreb", "wdorders", "wdfo", "wdstray", "wdfull"}},
		{"8", "a withdrawal without a twin releases its hold", func(v *variant) { v.releasesOwnHold = true }, []string{"wdone", "wdorders", "wdslot"}},
		{"9", "load refuses an ep as new", func(v *variant) { v.loadCompares = true }, rebuilds},
		{"9", "a reset brings an old epoch back", func(v *variant) { v.oldEpochBack = true }, []string{"reset", "resetW", "resetkill", "resetstock", "wdreset"}},
		{"9", "a later sum, of which older rows only are folded", func(v *variant) { v.sum, v.foldsOld = sumLaterOlder, true }, folding},
		{"9", "a later sum, with a new bump if a new row is folded", func(v *variant) { v.sum = sumLaterAgain }, folding},
		{"10", "the row isn't inserted for an order that has ended", func(v *variant) { v.initiateLooks = true }, ends},
		{"12", "capture doesn't look at the order", func(v *variant) { v.captureUnseen = true }, []string{"cap", "capreb", "capact", "capexp"}},
		{"12", "a refused capture cancels the order at once", func(v *variant) { v.refusedAtOnce = true }, []string{"capexp", "refundexp"}},
		{"refunds", "what is requested isn't counted as given", func(v *variant) { v.refundOverdrawn = true }, []string{"refund", "refundover"}},
	}
}
