package index

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/elastic/go-elasticsearch/v8"
)

// Generation is an index of an alias's family, <alias>-<number>.
type Generation struct {
	Number    int
	Live      bool // the alias points to it: search reads it
	Current   bool // made by this program's definition
	Documents int64
	Created   time.Time
}

// ErrNoGeneration: there is no index of this number.
var ErrNoGeneration = errors.New("no such generation")

// ErrLive: the alias points to the generation, so that search reads it.
var ErrLive = errors.New("the generation is live")

// Generations lists what there is of an alias's family, by number. Indices with other names aren't among them.
func Generations(ctx context.Context, es *elasticsearch.Client, alias string) ([]Generation, error) {
	body, err := call(es.Indices.Get([]string{alias + "-*"}, es.Indices.Get.WithContext(ctx), es.Indices.Get.WithFeatures("aliases,settings"), es.Indices.Get.WithFilterPath("*.aliases", "*.settings.index.creation_date")))
	if err != nil {
		return nil, fmt.Errorf("list indices %s-*: %w", alias, err)
	}
	var indices map[string]struct {
		Aliases  map[string]json.RawMessage `json:"aliases"`
		Settings struct {
			Index struct {
				Created int64 `json:"creation_date,string"` // milliseconds
			} `json:"index"`
		} `json:"settings"`
	}
	if err := json.Unmarshal(body, &indices); err != nil {
		return nil, fmt.Errorf("list indices %s-*: %w", alias, err)
	}
	var generations []Generation
	for name, is := range indices {
		number, ok := numberOf(alias, name)
		if !ok {
			continue
		}
		g := Generation{Number: number, Created: time.UnixMilli(is.Settings.Index.Created)}
		_, g.Live = is.Aliases[alias]
		if g.Current, err = Current(ctx, es, name); err != nil {
			return nil, err
		}
		if g.Documents, err = Count(ctx, es, name); err != nil {
			return nil, err
		}
		generations = append(generations, g)
	}
	slices.SortFunc(generations, func(a, b Generation) int { return a.Number - b.Number })
	return generations, nil
}

func numberOf(alias, index string) (int, bool) {
	text, ok := strings.CutPrefix(index, alias+"-")
	number, err := strconv.Atoi(text)
	return number, ok && err == nil && number > 0 && strconv.Itoa(number) == text
}

// Count returns how many documents an index has, deleted products among them, as of its last refresh.
func Count(ctx context.Context, es *elasticsearch.Client, index string) (int64, error) {
	body, err := call(es.Count(es.Count.WithContext(ctx), es.Count.WithIndex(index)))
	if err != nil {
		return 0, fmt.Errorf("count documents of %s: %w", index, err)
	}
	var got struct {
		Count int64 `json:"count"`
	}
	return got.Count, json.Unmarshal(body, &got)
}

// Switch points the alias to a generation, and away from all others, in one step: a search reads the one or the other, never both or
// none. It changes nothing if the alias points there already. Error: ErrNoGeneration.
func Switch(ctx context.Context, es *elasticsearch.Client, alias string, number int) error {
	generations, err := Generations(ctx, es, alias)
	if err != nil {
		return err
	}
	var actions []map[string]any
	found := false
	for _, g := range generations {
		change := map[string]any{"index": generationOf(alias, g.Number), "alias": alias}
		switch {
		case g.Number == number:
			found = true
			change["is_write_index"] = true // see claimAlias
			actions = append(actions, map[string]any{"add": change})
		case g.Live:
			actions = append(actions, map[string]any{"remove": change})
		}
	}
	if !found {
		return fmt.Errorf("%w: %s", ErrNoGeneration, generationOf(alias, number))
	}
	body, err := json.Marshal(map[string]any{"actions": actions})
	if err != nil {
		return err
	}
	_, err = call(es.Indices.UpdateAliases(bytes.NewReader(body), es.Indices.UpdateAliases.WithContext(ctx)))
	if err != nil {
		return fmt.Errorf("point alias %s to %s: %w", alias, generationOf(alias, number), err)
	}
	return nil
}

// Retire deletes a generation's index. One that is gone is no error. Error: ErrLive.
func Retire(ctx context.Context, es *elasticsearch.Client, alias string, number int) error {
	generations, err := Generations(ctx, es, alias)
	if err != nil {
		return err
	}
	for _, g := range generations {
		if g.Number == number && g.Live {
			return fmt.Errorf("%w: %s", ErrLive, generationOf(alias, number))
		}
	}
	_, err = call(es.Indices.Delete([]string{generationOf(alias, number)}, es.Indices.Delete.WithContext(ctx)))
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete index %s: %w", generationOf(alias, number), err)
	}
	return nil
}

// Refresh makes all that was written to an index visible to search.
func Refresh(ctx context.Context, es *elasticsearch.Client, index string) error {
	_, err := call(es.Indices.Refresh(es.Indices.Refresh.WithContext(ctx), es.Indices.Refresh.WithIndex(index)))
	if err != nil {
		return fmt.Errorf("refresh %s: %w", index, err)
	}
	return nil
}

// Rest stops an index's regular refreshes, or lets them go on as the definition says. Without them a copy costs a third less. Only for an
// index that nobody searches.
func Rest(ctx context.Context, es *elasticsearch.Client, index string, rest bool) error {
	interval := "-1"
	if !rest {
		var defined struct {
			Settings struct {
				Index struct {
					RefreshInterval string `json:"refresh_interval"`
				}
			}
		}
		if err := json.Unmarshal(definition, &defined); err != nil {
			return fmt.Errorf("definition of the index: %w", err)
		}
		interval = defined.Settings.Index.RefreshInterval
	}
	body, err := json.Marshal(map[string]any{"index": map[string]any{"refresh_interval": interval}})
	if err != nil {
		return err
	}
	_, err = call(es.Indices.PutSettings(bytes.NewReader(body), es.Indices.PutSettings.WithContext(ctx), es.Indices.PutSettings.WithIndex(index)))
	if err != nil {
		return fmt.Errorf("set the refresh interval of %s: %w", index, err)
	}
	return nil
}

func generationOf(alias string, number int) string { return alias + "-" + strconv.Itoa(number) }
