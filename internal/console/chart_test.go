package console

import (
	"strconv"
	"testing"
)

func TestChart(t *testing.T) {
	write := func(n int64) string { return strconv.FormatInt(n, 10) }
	draw := func(values ...int64) chart { return newChart("Orders", values, write, strconv.Itoa) }
	for _, c := range []struct {
		drawn  chart
		most   string
		height []float64
	}{
		{draw(), "0", nil},
		{draw(0, 0), "0", []float64{0, 0}},
		{draw(5, 10, 0), "10", []float64{50, 100, 0}},
	} {
		if c.drawn.Most != c.most || len(c.drawn.Bars) != len(c.height) {
			t.Errorf("%+v, want the most %s and %d bars", c.drawn, c.most, len(c.height))
			continue
		}
		for i, height := range c.height {
			if b := c.drawn.Bars[i]; b.Height != height || b.Y+b.Height != 100 {
				t.Errorf("bar %d is %+v, want height %v on the ground", i, b, height)
			}
		}
	}
}
