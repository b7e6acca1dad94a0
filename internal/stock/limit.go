package stock

import (
	"strings"
	"time"
)

// How much of a product a shopper may buy a day is counted like stock, as a product of the ledger of its own for each product, shopper
// and day. It begins at zero, without any stock, and each order takes it down, to minus the limit at most. So an order holds its place in
// the limit with its lines, all or nothing, two carts at once can't get round it, and what is called off is given back. The day is in
// front, so that days that are over lie together and are left behind.
const limitPrefix = "limit:"

// slack is how long the counts of a day are kept after it: any store's day is over by then, wherever it lies, and its checkouts have ended.
const slack = 48 * time.Hour

// LimitLine is what an order takes of a shopper's limit: as much as it takes of the product. The day is the store's, as DateOnly has it;
// the limit is positive.
func LimitLine(day, product, user string, quantity, limit int64) Line {
	return Line{ProductID: limitPrefix + day + ":" + product + ":" + user, Quantity: quantity, Limit: limit}
}

// LimitOf returns the product of a shopper's limit that is counted as a product; ok is false for an ordinary product.
func LimitOf(productID string) (product string, ok bool) {
	text, ok := strings.CutPrefix(productID, limitPrefix)
	if !ok {
		return "", false
	}
	_, text, _ = strings.Cut(text, ":")
	product, _, ok = strings.Cut(text, ":")
	return product, ok
}

// LimitsOver returns the ids from and to, the latter excluded, that all limits lie between whose days have been over for two days.
func LimitsOver(now time.Time) (from, to string) {
	return limitPrefix, limitPrefix + now.UTC().Add(-slack).Format(time.DateOnly)
}

// over tells that nobody needs a limit's count any more.
func over(productID string, now time.Time) bool {
	from, to := LimitsOver(now)
	return productID >= from && productID < to
}

// isProduct is false for what is counted as a product and isn't any: slots and limits. No product's id has a colon.
func isProduct(productID string) bool { return !strings.Contains(productID, ":") }
