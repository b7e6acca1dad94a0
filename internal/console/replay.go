package console

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"larder.dev/api/client"
	outboxpb "larder.dev/api/outbox/v1"
	"larder.dev/internal/web"
)

// Many letters are replayed by a page that goes on with itself: each request publishes as many as fit into a few seconds and shows how far it
// is, with a form that has those that are left. A script sends that form; without scripts there is a button. So no process has to keep
// anything, whoever closes the page stops the work, and a request that is sent twice does nothing twice: a letter is replayed once.

// replayFor is how long a request replays before it answers.
const replayFor = 3 * time.Second

type replayPage struct {
	Topic string
	Bar   headway
	Gone  int
	// Action and Fields are the form that goes on.
	Action string
	Fields []field
}

func (c *Console) replayAll(w http.ResponseWriter, r *http.Request) error {
	topic := r.PathValue("topic")
	back := link("/events", "topic", topic)
	if err := r.ParseForm(); err != nil {
		return err
	}
	form := r.PostForm
	left := strings.FieldsFunc(form.Get("letters"), func(r rune) bool { return r == ',' })
	if len(left) == 0 || strings.TrimSpace(form.Get("reason")) == "" {
		return &web.Trouble{Status: http.StatusBadRequest, Title: "Something is missing", Text: "Say why the letters are replayed. Nothing was published."}
	}
	yes, err := c.confirm(w, r, question{
		Title: fmt.Sprintf("Publish %d messages again?", len(left)), Button: "Replay all", Back: back,
		Says: []string{
			"The messages are published to " + topic + " again, as they came, to all who listen there, and the letters are taken away.",
			"Whoever refused them will refuse them again, unless the cause has gone: then they come back as other letters.",
		},
	})
	if err != nil || !yes {
		return err
	}
	total, done, gone, began := whole(form.Get("total")), whole(form.Get("done")), whole(form.Get("gone")), whole(form.Get("began"))
	if total == 0 {
		total, began = len(left), int(time.Now().UnixMilli())
	}
	for end := time.Now().Add(replayFor); len(left) > 0 && time.Now().Before(end); left = left[1:] {
		_, err := c.API.ReplayDeadLetter(r.Context(), &outboxpb.ReplayDeadLetterRequest{Topic: topic, LetterId: left[0], Reason: form.Get("reason")})
		switch {
		case client.ReasonOf(err) == "DEAD_LETTER_NOT_FOUND": // somebody else was faster
			gone++
		case err != nil:
			return err
		}
		done++
	}
	if len(left) == 0 {
		return goOn(w, r, link("/events", "done", "replayed-all"))
	}
	return c.Render(w, r, http.StatusOK, "replay", replayPage{
		Topic: topic, Gone: gone, Action: r.URL.RequestURI(),
		Bar: newHeadway("Replayed", int64(done), int64(total), time.Since(time.UnixMilli(int64(began)))),
		Fields: []field{
			{"confirmed", "yes"}, {"reason", form.Get("reason")}, {"letters", strings.Join(left, ",")}, {"total", strconv.Itoa(total)},
			{"done", strconv.Itoa(done)}, {"gone", strconv.Itoa(gone)}, {"began", strconv.Itoa(began)},
		},
	})
}

// whole is a number that a form of ours brings back; what isn't one is 0.
func whole(text string) int {
	n, _ := strconv.Atoi(text)
	return max(n, 0)
}
