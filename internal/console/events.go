package console

import (
	"net/http"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	outboxpb "larder.dev/api/outbox/v1"
)

// topics are those whose messages may be put aside, as api/outbox/v1 has them.
var topics = []string{"order-events", "user-events", "payment-events", "stock-events", "stock-adjustments", "product-cdc"}

type eventsPage struct {
	Topics  []string
	Topic   string // whose letters are shown; empty: none, for it takes some seconds
	Outbox  *outboxpb.GetOutboxResponse
	Replays *outboxpb.ListReplaysResponse
	Letters *outboxpb.ListDeadLettersResponse
}

func (c *Console) showEvents(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	page := eventsPage{Topics: topics}
	if topic := r.URL.Query().Get("topic"); slices.Contains(topics, topic) {
		page.Topic = topic
		letters, err := c.API.ListDeadLetters(ctx, &outboxpb.ListDeadLettersRequest{Topic: topic})
		if err != nil {
			return err
		}
		page.Letters = letters
	}
	var parts errgroup.Group
	part(ctx, &parts, &page.Outbox, func() (*outboxpb.GetOutboxResponse, error) { return c.API.GetOutbox(ctx, &outboxpb.GetOutboxRequest{}) })
	part(ctx, &parts, &page.Replays, func() (*outboxpb.ListReplaysResponse, error) {
		return c.API.ListReplays(ctx, &outboxpb.ListReplaysRequest{})
	})
	_ = parts.Wait() // parts don't fail
	return c.Render(w, r, http.StatusOK, "events", page)
}

func (c *Console) showLetter(w http.ResponseWriter, r *http.Request) error {
	letter, err := c.API.GetDeadLetter(r.Context(), &outboxpb.GetDeadLetterRequest{Topic: r.PathValue("topic"), LetterId: r.PathValue("letter")})
	if err != nil {
		return err
	}
	return c.Render(w, r, http.StatusOK, "letter", letter)
}

// replayLetter publishes a letter's message again. The letter's id is what makes it happen once: the API answers a second request with the
// first one's replay.
func (c *Console) replayLetter(w http.ResponseWriter, r *http.Request) error {
	topic, id := r.PathValue("topic"), r.PathValue("letter")
	if err := r.ParseForm(); err != nil {
		return err
	}
	says := []string{"The message of letter " + id + " is published to " + topic + " again, to all who listen there, and the letter is taken away."}
	// Browsers send lines with CR LF: what wasn't changed has to stay as it came.
	data := strings.ReplaceAll(r.PostForm.Get("data"), "\r\n", "\n")
	if data == strings.ReplaceAll(r.PostForm.Get("was"), "\r\n", "\n") {
		data = ""
		says = append(says, "As it came: whoever refused it will refuse it again, unless its cause has gone.")
	} else {
		says = append(says, "With other data than it came with.")
	}
	yes, err := c.confirm(w, r, question{Title: "Publish it again?", Says: says, Button: "Replay", Back: link("/events/" + topic + "/" + id)})
	if err != nil || !yes {
		return err
	}
	_, err = c.API.ReplayDeadLetter(r.Context(), &outboxpb.ReplayDeadLetterRequest{Topic: topic, LetterId: id, Reason: r.PostForm.Get("reason"), Data: data})
	if err != nil {
		return err
	}
	return goOn(w, r, link("/events", "done", "replayed"))
}
