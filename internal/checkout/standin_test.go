package checkout_test

import "testing"

// TestStandIn runs the room's tests a second time, on the stand-ins in the place of Spanner and of the provider: what is measured with them
// (docs/performance.md) does what it is measured for. All but TestRoundTrips are here, which counts what Spanner is asked, and those that need no
// database.
func TestStandIn(t *testing.T) {
	for name, test := range map[string]func(*testing.T){
		"TestShopperConfirms":            TestShopperConfirms,
		"TestShopperFailsToConfirm":      TestShopperFailsToConfirm,
		"TestProcessing":                 TestProcessing,
		"TestAnswersSayWhatToDo":         TestAnswersSayWhatToDo,
		"TestStuckPaymentsHoldUpNobody":  TestStuckPaymentsHoldUpNobody,
		"TestReconcileSoonAndOnce":       TestReconcileSoonAndOnce,
		"TestUnpaidOrderIsCancelled":     TestUnpaidOrderIsCancelled,
		"TestCapturedAfterAll":           TestCapturedAfterAll,
		"TestPutOffByAWrongClock":        TestPutOffByAWrongClock,
		"TestRefusedCaptureIsTriedAgain": TestRefusedCaptureIsTriedAgain,
		"TestCancel":                     TestCancel,
		"TestCancelIsRefused":            TestCancelIsRefused,
		"TestCancelAfterCapture":         TestCancelAfterCapture,
		"TestCancelBeforeSettle":         TestCancelBeforeSettle,
		"TestCancelAmidRebuilds":         TestCancelAmidRebuilds,
		"TestBuyOnce":                    TestBuyOnce,
		"TestRefusalsAreFinal":           TestRefusalsAreFinal,
		"TestBreaksOff":                  TestBreaksOff,
		"TestDoubleClicksWithoutTheLock": TestDoubleClicksWithoutTheLock,
		"TestHotProduct":                 TestHotProduct,
		"TestStoresApart":                TestStoresApart,
		"TestLimit":                      TestLimit,
		"TestLimitIsHeld":                TestLimitIsHeld,
		"TestLimitHoldsAtOnce":           TestLimitHoldsAtOnce,
		"TestLimitAndGoodsShort":         TestLimitAndGoodsShort,
		"TestShortPick":                  TestShortPick,
		"TestSubstitute":                 TestSubstitute,
		"TestSubstituteIsSoldOut":        TestSubstituteIsSoldOut,
		"TestWeighed":                    TestWeighed,
		"TestShortPickFreesTheLimit":     TestShortPickFreesTheLimit,
		"TestPackTogether":               TestPackTogether,
		"TestRush":                       TestRush,
		"TestEpochFence":                 TestEpochFence,
		"TestEpochFenceAndGone":          TestEpochFenceAndGone,
		"TestResume":                     TestResume,
		"TestReapAndReconcile":           TestReapAndReconcile,
		"TestPollAmidRebuild":            TestPollAmidRebuild,
		"TestCancelByRPC":                TestCancelByRPC,
		"TestResumeWaitsForTheRequest":   TestResumeWaitsForTheRequest,
		"TestSlotFills":                  TestSlotFills,
		"TestSlotIsRefused":              TestSlotIsRefused,
		"TestSlotAndGoodsShort":          TestSlotAndGoodsShort,
		"TestSlotIsHeld":                 TestSlotIsHeld,
		"TestUnderWay":                   TestUnderWay,
	} {
		t.Run(name, test)
	}
}
