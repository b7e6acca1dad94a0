package storefront

import (
	"fmt"
	"strings"

	orderpb "larder.dev/api/order/v1"
)

// stateName is an order's state, in a shopper's words.
func stateName(state orderpb.Order_State) string {
	switch state {
	case orderpb.Order_CONFIRMED:
		return "Order placed"
	case orderpb.Order_PICKING:
		return "Being picked"
	case orderpb.Order_PACKED:
		return "Packed"
	case orderpb.Order_DISPATCHED:
		return "On its way"
	case orderpb.Order_DELIVERED:
		return "Delivered"
	case orderpb.Order_CANCELLED:
		return "Cancelled"
	default:
		return "In progress"
	}
}

// pounds are minor units without their currency, for a field: "2.50".
func pounds(minor int64) string { return fmt.Sprintf("%d.%02d", minor/100, minor%100) }

// grams are a weight as people say it: "850 g", "1.25 kg".
func grams(n int32) string {
	if n < 1000 {
		return fmt.Sprintf("%d g", n)
	}
	return strings.TrimRight(strings.TrimRight(fmt.Sprintf("%.2f", float64(n)/1000), "0"), ".") + " kg"
}
