package elastic

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"

	"larder.dev/internal/search"
)

// The ranking file is a JSON object with weights, {"available": 10, "margin": 1, "popularity": 0.1}; one that is left out is the
// environment's. It is read every few seconds, not watched: on Cloud Run it is a mounted secret or bucket, which tells of no change but has
// the newest content at each reading.

// maxRankingFile is how many bytes of the file are taken.
const maxRankingFile = 4096

// Weights returns those in force.
func (x *Index) Weights() search.Weights { return *x.weights.Load() }

// rereadRanking reads the ranking file, if there is one. A file that can't be used changes nothing: the weights of before stay, and the log
// says why, once for each reason, which is returned.
func (x *Index) rereadRanking(complaint string) string {
	if x.config.RankingFile == "" {
		return ""
	}
	err := x.reread()
	if err == nil {
		return ""
	}
	if err.Error() != complaint {
		slog.Error("the ranking stays as it is", "error", err, "weights", x.Weights())
	}
	return err.Error()
}

// reread puts the file's weights in force.
func (x *Index) reread() error {
	weights, err := ranking(x.config)
	if err != nil {
		return err
	}
	if before := x.weights.Swap(&weights); *before != weights {
		slog.Info("the ranking has changed", "before", *before, "weights", weights)
	}
	return nil
}

// ranking reads the weights.
func ranking(config Config) (search.Weights, error) {
	weights := config.Weights
	if config.RankingFile != "" {
		content, err := os.ReadFile(config.RankingFile)
		if err != nil {
			return weights, fmt.Errorf("read the ranking: %w", err)
		}
		if len(content) > maxRankingFile {
			return weights, fmt.Errorf("read the ranking: %s has %d bytes, %d at most are taken", config.RankingFile, len(content), maxRankingFile)
		}
		decoder := json.NewDecoder(bytes.NewReader(content))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&weights); err != nil {
			return weights, fmt.Errorf("read the ranking: %s: %w", config.RankingFile, err)
		}
		if decoder.More() {
			return weights, fmt.Errorf("read the ranking: %s has more than one object", config.RankingFile)
		}
	}
	return weights, fit(weights)
}

// fit refuses weights that could lift a hit into the class above, or that aren't numbers from 0.
func fit(w search.Weights) error {
	var faults []error
	for name, weight := range map[string]float64{"available": w.Available, "margin": w.Margin, "popularity": w.Popularity} {
		if !(weight >= 0) || math.IsInf(weight, 0) {
			faults = append(faults, fmt.Errorf("the weight of %s is %v, want 0 or more", name, weight))
		}
	}
	const popularity = 19 // factors of ten in an int64
	if most := maxNearness + w.Available + w.Margin + w.Popularity*popularity; most >= classWidth {
		faults = append(faults, fmt.Errorf("the weights add up to %.1f points, want less than %d, the distance of two classes", most, classWidth))
	}
	return errors.Join(faults...)
}
