package elastic

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"larder.dev/internal/search"
)

func TestTheRankingFileIsReadAnew(t *testing.T) {
	file := filepath.Join(t.TempDir(), "ranking.json")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := Config{URL: "http://127.0.0.1:1", Weights: search.Weights{Available: 10, Margin: 1, Popularity: 0.1}, RankingFile: file}
	if _, err := New(config); err == nil {
		t.Error("a file that is missing at the start is no fault")
	}
	write(`{"margin": 2}`)
	x, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(x.Close)
	want := search.Weights{Available: 10, Margin: 2, Popularity: 0.1}
	if x.Weights() != want {
		t.Errorf("at the start: %+v, want %+v", x.Weights(), want)
	}
	write(`{"available": 20, "margin": 0, "popularity": 0.5}`)
	if err := x.reread(); err != nil {
		t.Fatal(err)
	}
	want = search.Weights{Available: 20, Popularity: 0.5}
	if x.Weights() != want {
		t.Errorf("changed: %+v, want %+v", x.Weights(), want)
	}
	for what, content := range map[string]string{
		"empty": "", "half": `{"margin": 1`, "no object": `7`, "an unknown weight": `{"profit": 1}`, "text": `{"margin": "1"}`, "below 0": `{"margin": -1}`,
		"across classes": `{"available": 95}`, "two objects": `{}{}`, "huge": `{"margin": 1}` + strings.Repeat(" ", maxRankingFile),
	} {
		write(content)
		if err := x.reread(); err == nil {
			t.Errorf("%s: no error", what)
		}
		if x.Weights() != want {
			t.Errorf("%s: %+v, want what was before", what, x.Weights())
		}
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if err := x.reread(); err == nil || x.Weights() != want {
		t.Errorf("without a file: %v, %+v", err, x.Weights())
	}
}
