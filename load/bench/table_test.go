package main

import (
	"context"
	"errors"
	"testing"

	"larder.dev/load/bench/figure"
)

// ranked is a part whose runs have these ratios, one after the other.
func ranked(name string, ratios ...float64) part {
	return part{name, func(context.Context) ([]figure.Figure, error) {
		if len(ratios) == 0 {
			return nil, errors.New("measured once too often")
		}
		ratio := ratios[0]
		ratios = ratios[1:]
		return []figure.Figure{{Name: name + "'s figure", Ratio: ratio, To: "nothing"}}, nil
	}}
}

// A regression is found, and only one that a second run shows as well; what is as it was is measured once.
func TestCompare(t *testing.T) {
	kept := map[string]float64{"good's figure": 1, "noisy's figure": 1, "bad's figure": 1}
	parts := []part{ranked("good", 0.9), ranked("noisy", 0.2, 0.8), ranked("bad", 0.6, 0.65)}
	figures, worse, err := compare(t.Context(), parts, kept)
	if err != nil || len(worse) != 1 || worse["bad's figure"] == "" {
		t.Errorf("worse are %v, %v; want the bad one alone", worse, err)
	}
	if got := figure.Ratios(figures); got["noisy's figure"] != 0.8 || got["bad's figure"] != 0.65 || got["good's figure"] != 0.9 {
		t.Errorf("figures are %v", got)
	}
}

// What isn't measured any more is a regression too.
func TestCompareMissesWhatIsGone(t *testing.T) {
	_, worse, err := compare(t.Context(), []part{ranked("good", 1, 1)}, map[string]float64{"good's figure": 1, "gone": 1})
	if err != nil || len(worse) != 1 || worse["gone"] == "" {
		t.Errorf("worse are %v, %v", worse, err)
	}
}
