package main

// variant is what is done otherwise than by the rules of docs/protocol.md. Its zero value is the rules as they are. Each field is a
// mutation, which breaks something, or an alternative, which doesn't; mutations.go has them all with what they come to.
type variant struct {
	// Rule 1.
	noInstance bool // ep is valid on any server
	runIDOnly  bool // the instance is the process's, and survives a failback

	// Rule 3.
	otherLinesFailed bool // a hold with other lines is a failure, told at once
	callersToken     bool // the caller makes the hold's token
	anyEpoch         bool // reserve has no least epoch

	// Rule 4.
	storesMinimum bool // reserves again with the store's epoch as the least, though the hold's is newer
	newerStays    bool // a newer ep than Spanner's epoch is left as it is

	// Rule 5.
	noEpochCheck  bool
	noOrderCheck  bool // the commit overwrites a tombstone
	plainSettle   bool // settle never gives back
	settleByEpoch bool // settle compares the epoch only
	settleOwn     bool // settle takes epoch and token of the caller's hold, not of the row
	successEarly  bool // told before the commit

	// Rule 6.
	insufficientAtOnce bool // told without a tombstone
	insufficientReads  bool // told after a look at the order
	refusalAtOnce      bool
	refusalReads       bool
	failureEarly       bool // told before the tombstone's transaction

	// Rule 7.
	noTombstone           bool
	cancelFirst           bool // b before a
	voidedFirst           bool // c before b
	releaseLast           bool // d after c
	declinedState         bool // a declined payment is DECLINED, and the order has a tombstone
	declinedNoTombstone   bool // with declinedState: no tombstone either
	noRefund              bool // refused as captured, the row stays VOIDING
	capturedIsCancelled   bool
	processingIsCancelled bool
	refundInFull          bool // all that was captured, whatever was given back before
	keyWithoutAmount      bool // of the refund of what is left
	amountsUnrecorded     bool // VOIDED leaves the row's amounts as they were
	releaseBlind          bool // gives back though there is no hold
	releaseChecksEpoch    bool // and so does settle
	actionGoesOn          bool // a cancel at the provider doesn't end the shopper's action

	// Rule 8.
	appliesAnyEpoch   bool // apply doesn't refuse an older ep
	appliesLoaded     bool // apply adds what the load had
	appliesTwice      bool // no applied
	appliedForgets    bool // a full applied forgets, instead of asking for a rebuild
	releasesCancelled bool // a cancelled order's hold is released

	// Rule 8, withdrawals.
	withdrawsUnheld    bool // no hold
	withdrawsAnyEpoch  bool // entered under another epoch than the hold's
	overdueReleased    bool // a withdrawal's overdue hold is released
	applyKeepsHold     bool // adding an entry leaves its hold
	appliedKeepsHold   bool // an entry that is applied leaves its hold
	loadedKeepsHold    bool // an entry that the load had leaves its hold
	underflowAtOnce    bool // told without a second look
	releasesOwnHold    bool // a withdrawal that isn't entered after all releases its hold
	appliesHoldsEpoch  bool // e is the hold's epoch, not the entry's
	notDoneDropsHold   bool // apply drops the hold also when it isn't done
	overdueNotAttended bool // nobody looks after the withdrawal's overdue hold

	// Rule 9.
	loadKeepsHolds bool
	loadTwice      bool // a load may be executed twice
	loadCompares   bool // a load is refused if ep is as new
	epochCounts    bool // the new epoch is the old one and 1
	epochFromSeen  bool // it is the greater of Spanner's and Redis' and 1
	oldEpochBack   bool // a reset brings an old epoch back, not none
	sum            uint8
	foldsOld       bool // folds only entries of an older epoch

	// Rule 10.
	confirmsOwn   bool // the intent that it has created, not the row's
	noRow         bool // no row before the confirmation
	oneCharge     bool // no intent apart from its confirmation
	initiateLooks bool // the row isn't inserted for an order that is sold or has a tombstone
	linesAgreed   bool // the row's lines aren't compared with the hold's
	cartsLines    bool // a re-entry takes the cart's lines, not the row's
	unheld        bool // a re-entry commits without reserving

	// Rule 11.
	noReaper     bool
	noReconciler bool

	// Rule 12.
	captureBlind     bool // CAPTURED over any state of the row
	captureUnseen    bool // captures without a look at the order
	refusedStays     bool // a refused capture doesn't cancel the order
	refusedAtOnce    bool // it does so in the transaction that records it
	expiredUncounted bool // a refused capture isn't recorded at all

	// Partial refunds.
	refundUnrecorded  bool // the provider is asked before REQUESTED is recorded
	refundNewKey      bool // each call has a key of its own
	refundOverdrawn   bool // what is requested isn't counted as given
	refundAfterVoided bool // DONE adds to the row's amount also when it is VOIDED
	refusedIsDone     bool
	unknownIsFailed   bool // a lost reply is taken for a refusal
}

// How a rebuild sums the ledger up.
const (
	sumAtBump     = iota // at the bump's own timestamp
	sumLater             // by a later strong read
	sumLaterOlder        // so, without entries of the new epoch, as far as they aren't folded
	sumLaterAgain        // and with a new bump if the balance has folded one
)
