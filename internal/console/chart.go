package console

import "fmt"

// chart is a small chart of bars, which the page draws as SVG. It has a sentence for those who don't see it.
type chart struct {
	Bars []bar
	// Sentence says what it shows; Most is the highest bar's value, as it is written beside it.
	Sentence, Most string
}

// bar stands in a box of 100 by 100.
type bar struct {
	X, Y, Width, Height float64
	Title               string
}

// newChart draws values from the left to the right; title tells of one.
func newChart(sentence string, values []int64, write func(int64) string, title func(i int) string) chart {
	c := chart{Sentence: sentence}
	var most int64
	for _, value := range values {
		most = max(most, value)
	}
	c.Most = write(most)
	width := 100 / float64(max(len(values), 1))
	for i, value := range values {
		height := 100 * float64(value) / float64(max(most, 1))
		c.Bars = append(c.Bars, bar{X: float64(i) * width, Y: 100 - height, Width: width * 0.8, Height: height, Title: fmt.Sprintf("%s: %s", title(i), write(value))})
	}
	return c
}
