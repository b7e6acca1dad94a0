package outbox

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	"google.golang.org/protobuf/types/known/timestamppb"

	outboxpb "larder.dev/api/outbox/v1"
	"larder.dev/internal/deadletter"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
)

// Box has a topic's dead letters; see deadletter.Box.
type Box interface {
	List(ctx context.Context, limit int) (letters []deadletter.Letter, more bool, err error)
	Get(ctx context.Context, id string) (deadletter.Letter, error)
	Replay(ctx context.Context, id string, mend deadletter.Mend) (message string, err error)
}

// Replay is a dead letter that an operator had published again.
type Replay struct {
	Topic, LetterID string
	// MessageID is Pub/Sub's; empty: nobody knows whether it was published.
	MessageID string
	// Actor is a user's id.
	Actor, Reason string
	Mended        bool
	Time          time.Time
}

// Replays keeps what was replayed.
type Replays interface {
	// Find returns what is kept of a letter's replay; the zero value: nothing.
	Find(ctx context.Context, topic, letter string) (Replay, error)
	// Begin keeps that a letter is about to be published.
	Begin(ctx context.Context, replay Replay) error
	// End keeps the message's id.
	End(ctx context.Context, topic, letter, message string) error
	// Latest lists them, newest first.
	Latest(ctx context.Context, limit int) ([]Replay, error)
}

// Server answers larder.outbox.v1.OutboxService. Looking at a topic's letters hides them from everybody else for a moment, so a process
// looks once at a time: who asks for the same list meanwhile shares the answer.
type Server struct {
	outboxpb.UnimplementedOutboxServiceServer
	stores  map[string]Store
	boxes   map[string]*box
	replays Replays
	looks   singleflight.Group
}

// box is a Box that one caller uses at a time.
type box struct {
	Box
	sync.Mutex
}

// NewServer makes one, for outboxes and boxes by name.
func NewServer(stores map[string]Store, boxes map[string]Box, replays Replays) *Server {
	s := &Server{stores: stores, boxes: map[string]*box{}, replays: replays}
	for topic, b := range boxes {
		s.boxes[topic] = &box{Box: b}
	}
	return s
}

// GetOutbox implements the service.
func (s *Server) GetOutbox(ctx context.Context, _ *outboxpb.GetOutboxRequest) (*outboxpb.GetOutboxResponse, error) {
	names := slices.Sorted(maps.Keys(s.stores))
	answer := &outboxpb.GetOutboxResponse{Outboxes: make([]*outboxpb.Outbox, len(names))}
	group, ctx := errgroup.WithContext(ctx)
	for i, name := range names {
		group.Go(func() error {
			lag, err := Behind(ctx, s.stores[name])
			answer.Outboxes[i] = &outboxpb.Outbox{
				Name: name, LagMs: lag.Oldest.Milliseconds(), WaitingShards: int32(lag.Waiting), Relays: int32(lag.Relays),
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return answer, nil
}

// ListDeadLetters implements the service.
func (s *Server) ListDeadLetters(ctx context.Context, r *outboxpb.ListDeadLettersRequest) (*outboxpb.ListDeadLettersResponse, error) {
	// Everybody's look is as long as the longest list that there is, so that it may be shared; it goes on if the first to ask goes away.
	const longest = 200
	looking := s.looks.DoChan(r.GetTopic(), func() (any, error) {
		shared, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		b := s.boxes[r.GetTopic()]
		b.Lock()
		defer b.Unlock()
		letters, more, err := b.List(shared, longest)
		return &list{letters, more}, err
	})
	var found *list
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case looked := <-looking:
		if looked.Err != nil {
			return nil, looked.Err
		}
		found, _ = looked.Val.(*list)
	}
	size := min(cmp.Or(int(r.GetPageSize()), 50), len(found.letters))
	answer := &outboxpb.ListDeadLettersResponse{More: found.more || len(found.letters) > size}
	for _, letter := range found.letters[:size] {
		answer.Letters = append(answer.Letters, outline(letter))
	}
	return answer, nil
}

type list struct {
	letters []deadletter.Letter
	more    bool
}

// outline is a letter without what it says.
func outline(l deadletter.Letter) *outboxpb.DeadLetter {
	return &outboxpb.DeadLetter{
		Topic: l.Topic, LetterId: l.ID, Time: timestamppb.New(l.Time), Type: text(l.Type), Subject: text(l.Subject),
		Reason: text(l.Reason), Detail: text(l.Detail), Source: text(l.From), DataBytes: int64(len(l.Data)),
	}
}

// text is what a proto's string can hold: whoever publishes may write anything into attributes.
func text(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return string([]rune(s))
}

// maxText is how much of a letter is shown, and mended.
const maxText = 512 << 10

// GetDeadLetter implements the service.
func (s *Server) GetDeadLetter(ctx context.Context, r *outboxpb.GetDeadLetterRequest) (*outboxpb.DeadLetter, error) {
	b := s.boxes[r.GetTopic()]
	b.Lock()
	defer b.Unlock()
	letter, err := b.Get(ctx, r.GetLetterId())
	if err != nil {
		return nil, gone(err)
	}
	answer := outline(letter)
	answer.Attributes = map[string]string{}
	for name, value := range letter.Attributes {
		answer.Attributes[text(name)] = text(value)
	}
	if utf8.Valid(letter.Data) && len(letter.Data) <= maxText {
		answer.Data = string(letter.Data)
	}
	return answer, nil
}

// ReplayDeadLetter implements the service. What is about to be done is kept first; a process that dies behind it leaves a replay without
// an end, which the next request for the letter goes on with.
func (s *Server) ReplayDeadLetter(ctx context.Context, r *outboxpb.ReplayDeadLetterRequest) (*outboxpb.Replay, error) {
	b := s.boxes[r.GetTopic()]
	b.Lock()
	defer b.Unlock()
	begun := Replay{
		Topic: r.GetTopic(), LetterID: r.GetLetterId(), Actor: identity.FromContext(ctx).UserID, Reason: r.GetReason(),
		Mended: r.GetData() != "",
	}
	done, err := s.replays.Find(ctx, r.GetTopic(), r.GetLetterId())
	if err != nil {
		return nil, err
	}
	if done.MessageID != "" {
		return done.proto(), nil
	}
	if _, err := b.Get(ctx, r.GetLetterId()); err != nil { // no trace of letters that aren't
		return nil, gone(err)
	}
	if err := s.replays.Begin(ctx, begun); err != nil {
		return nil, err
	}
	var mend deadletter.Mend
	if r.GetData() != "" {
		mend.Data = []byte(r.GetData())
	}
	message, err := b.Replay(ctx, r.GetLetterId(), mend)
	if message == "" {
		return nil, gone(err)
	}
	// Published is published: if the letter stayed behind, the next list shows it, and its replay answers this one.
	if err := s.replays.End(context.WithoutCancel(ctx), r.GetTopic(), r.GetLetterId(), message); err != nil {
		return nil, err
	}
	done, err = s.replays.Find(ctx, r.GetTopic(), r.GetLetterId())
	return done.proto(), err
}

// ListReplays implements the service.
func (s *Server) ListReplays(ctx context.Context, r *outboxpb.ListReplaysRequest) (*outboxpb.ListReplaysResponse, error) {
	replays, err := s.replays.Latest(ctx, cmp.Or(int(r.GetPageSize()), 20))
	if err != nil {
		return nil, err
	}
	answer := &outboxpb.ListReplaysResponse{}
	for _, replay := range replays {
		answer.Replays = append(answer.Replays, replay.proto())
	}
	return answer, nil
}

func (r Replay) proto() *outboxpb.Replay {
	return &outboxpb.Replay{
		Topic: r.Topic, LetterId: r.LetterID, MessageId: r.MessageID, Actor: r.Actor, Reason: r.Reason, Mended: r.Mended,
		Time: timestamppb.New(r.Time),
	}
}

func gone(err error) error {
	if errors.Is(err, deadletter.ErrGone) {
		return fault.DeadLetterNotFound.New("the topic has no such dead letter")
	}
	return err
}
