package web

import (
	"errors"
	"fmt"
	"html/template"
	"strings"
	"time"
	_ "time/tzdata" // the images have no zones

	"google.golang.org/protobuf/types/known/timestamppb"

	typepb "larder.dev/api/type/v1"
)

// zone is where the stores are: times are shown as their clocks have them.
var zone = func() *time.Location {
	london, err := time.LoadLocation("Europe/London")
	if err != nil {
		panic(err) // it is linked in
	}
	return london
}()

// formats are functions that every site's templates have.
var formats = template.FuncMap{
	"money": Money, "dict": dict,
	"day":   func(t *timestamppb.Timestamp) string { return at(t, "Monday 2 January") },
	"date":  func(t *timestamppb.Timestamp) string { return at(t, "2 January 2006") },
	"clock": func(t *timestamppb.Timestamp) string { return at(t, "15:04") },
	"when":  func(t *timestamppb.Timestamp) string { return at(t, "2 Jan 2006, 15:04") },
	// stamp is for the attribute datetime of <time>.
	"stamp": func(t *timestamppb.Timestamp) string {
		if t == nil {
			return ""
		}
		return t.AsTime().Format(time.RFC3339)
	},
}

// Money is an amount as people write it, "£1.25"; "" of none. Currencies have two decimals here, as pounds have.
func Money(m *typepb.Money) string {
	if m == nil {
		return ""
	}
	units, sign := m.GetMinorUnits(), ""
	if units < 0 {
		units, sign = -units, "−"
	}
	whole := fmt.Sprint(units / 100)
	for i := len(whole) - 3; i > 0; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	symbol, ok := map[string]string{"GBP": "£", "EUR": "€", "USD": "$"}[m.GetCurrency()]
	if !ok {
		symbol = strings.ToUpper(m.GetCurrency()) + " "
	}
	return fmt.Sprintf("%s%s%s.%02d", sign, symbol, whole, units%100)
}

func at(t *timestamppb.Timestamp, layout string) string {
	if t == nil {
		return ""
	}
	return t.AsTime().In(zone).Format(layout)
}

// dict makes a map of names and values in turn, for a part that needs more than one value.
func dict(pairs ...any) (map[string]any, error) {
	if len(pairs)%2 != 0 {
		return nil, errors.New("dict: a name without a value")
	}
	m := map[string]any{}
	for i := 0; i < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is no name", pairs[i])
		}
		m[name] = pairs[i+1]
	}
	return m, nil
}
