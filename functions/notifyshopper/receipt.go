package notifyshopper

import (
	_ "embed"

	orderpb "larder.dev/api/order/v1"
)

var (
	//go:embed receipts.txt
	receiptsText string
	//go:embed receipts.html
	receiptsHTML string
)

// missing are the goods that were ordered and aren't in the receipt, whether or not there is something in their place.
func missing(order *orderpb.Order) []*orderpb.OrderLine {
	var lines []*orderpb.OrderLine
	for _, line := range order.GetLines() {
		left := line.GetQuantity()
		for _, given := range order.GetReceipt().GetLines() {
			if given.GetProductId() == line.GetProductId() && given.GetSubstituteFor() == "" {
				left -= given.GetQuantity()
			}
		}
		if left > 0 {
			lines = append(lines, &orderpb.OrderLine{Name: line.GetName(), Quantity: left})
		}
	}
	return lines
}

// instead is the name of what a line of the receipt stands in for; empty: it is what was ordered.
func instead(order *orderpb.Order, given *orderpb.ReceiptLine) string {
	for _, line := range order.GetLines() {
		if given.GetSubstituteFor() != "" && line.GetProductId() == given.GetSubstituteFor() {
			return line.GetName()
		}
	}
	return ""
}

// differs tells whether an order was packed otherwise than it was ordered: then its shopper hears of it before it comes.
func differs(order *orderpb.Order) bool {
	return order.GetReceipt() != nil && (len(missing(order)) > 0 ||
		order.GetReceipt().GetTotals().GetTotal().GetMinorUnits() != order.GetTotals().GetTotal().GetMinorUnits())
}
