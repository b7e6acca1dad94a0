package spanner

import (
	"context"
	"fmt"

	"cloud.google.com/go/spanner"
	"google.golang.org/grpc/codes"

	"larder.dev/internal/outbox"
)

// Replays implements outbox.Replays.
type Replays struct{ client *spanner.Client }

var _ outbox.Replays = Replays{}

// NewReplays makes one.
func NewReplays(client *spanner.Client) Replays { return Replays{client} }

var replayColumns = []string{"Topic", "LetterId", "MessageId", "Actor", "Reason", "Mended", "ReplayTime"}

// Find implements outbox.Replays.
func (r Replays) Find(ctx context.Context, topic, letter string) (outbox.Replay, error) {
	row, err := r.client.Single().ReadRow(ctx, "Replays", spanner.Key{topic, letter}, replayColumns)
	switch {
	case spanner.ErrCode(err) == codes.NotFound:
		return outbox.Replay{}, nil
	case err != nil:
		return outbox.Replay{}, fmt.Errorf("read the replay of %s %s: %w", topic, letter, err)
	}
	return replay(row)
}

// Begin implements outbox.Replays. Of a letter whose replay has no end, whoever goes on with it is kept.
func (r Replays) Begin(ctx context.Context, begun outbox.Replay) error {
	_, err := r.client.Apply(ctx, []*spanner.Mutation{spanner.InsertOrUpdate("Replays", replayColumns,
		[]any{begun.Topic, begun.LetterID, spanner.NullString{}, begun.Actor, begun.Reason, begun.Mended, spanner.CommitTimestamp})})
	if err != nil {
		return fmt.Errorf("keep the replay of %s %s: %w", begun.Topic, begun.LetterID, err)
	}
	return nil
}

// End implements outbox.Replays.
func (r Replays) End(ctx context.Context, topic, letter, message string) error {
	_, err := r.client.Apply(ctx, []*spanner.Mutation{
		spanner.Update("Replays", []string{"Topic", "LetterId", "MessageId"}, []any{topic, letter, message}),
	})
	if err != nil {
		return fmt.Errorf("keep the end of the replay of %s %s: %w", topic, letter, err)
	}
	return nil
}

// Latest implements outbox.Replays: by the index, then by the keys that it has.
func (r Replays) Latest(ctx context.Context, limit int) ([]outbox.Replay, error) {
	txn := r.client.ReadOnlyTransaction()
	defer txn.Close()
	var keys []spanner.Key
	options := &spanner.ReadOptions{Index: "ReplaysByTime", Limit: limit}
	err := txn.ReadWithOptions(ctx, "Replays", spanner.AllKeys(), []string{"Topic", "LetterId"}, options).Do(func(row *spanner.Row) error {
		var topic, letter string
		err := row.Columns(&topic, &letter)
		keys = append(keys, spanner.Key{topic, letter})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list replays: %w", err)
	}
	found := make([]outbox.Replay, 0, len(keys))
	for _, key := range keys {
		row, err := txn.ReadRow(ctx, "Replays", key, replayColumns)
		if err != nil {
			return nil, fmt.Errorf("read the replay of %s: %w", key, err)
		}
		one, err := replay(row)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

func replay(row *spanner.Row) (outbox.Replay, error) {
	var r outbox.Replay
	var message spanner.NullString
	err := row.Columns(&r.Topic, &r.LetterID, &message, &r.Actor, &r.Reason, &r.Mended, &r.Time)
	r.MessageID = message.StringVal
	return r, err
}
