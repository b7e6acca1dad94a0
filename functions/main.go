// Command functions is every function of the platform, one a process: FUNCTION_TARGET names it. Events reach them by Pub/Sub's push,
// schedules by Cloud Scheduler; docs/functions.md has the table.
package main

import (
	"larder.dev/functions/activateprices"
	"larder.dev/functions/adjuststock"
	"larder.dev/functions/applypaymentevent"
	"larder.dev/functions/applystock"
	"larder.dev/functions/auditindex"
	"larder.dev/functions/capturepayment"
	"larder.dev/functions/clearcart"
	"larder.dev/functions/foldledger"
	"larder.dev/functions/forgetuser"
	"larder.dev/functions/internal/function"
	"larder.dev/functions/notifyshopper"
	"larder.dev/functions/paymentwebhook"
	"larder.dev/functions/reapaccounts"
	"larder.dev/functions/reapcheckouts"
	"larder.dev/functions/reconcilepayments"
	"larder.dev/functions/reconcilestock"
	"larder.dev/functions/updateavailability"
	"larder.dev/functions/updatepopularity"
	"larder.dev/functions/voidpayment"
)

// all has every function by the name that FUNCTION_TARGET takes.
var all = map[string]function.Setup{
	"CapturePayment":     capturepayment.New,
	"VoidPayment":        voidpayment.New,
	"ApplyStock":         applystock.New,
	"ClearCart":          clearcart.New,
	"NotifyShopper":      notifyshopper.New,
	"ForgetUser":         forgetuser.New,
	"PaymentWebhook":     paymentwebhook.New,
	"ApplyPaymentEvent":  applypaymentevent.New,
	"AdjustStock":        adjuststock.New,
	"UpdateAvailability": updateavailability.New,
	"ReapCheckouts":      reapcheckouts.New,
	"ReconcilePayments":  reconcilepayments.New,
	"ReconcileStock":     reconcilestock.New,
	"FoldLedger":         foldledger.New,
	"ActivatePrices":     activateprices.New,
	"UpdatePopularity":   updatepopularity.New,
	"AuditIndex":         auditindex.New,
	"ReapAccounts":       reapaccounts.New,
}

func main() { function.Main(all) }
