package user_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/event"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
	"larder.dev/internal/user"
)

const nobody = "00000000-0000-4000-8000-000000000000"

// begin begins a notice that should be in a state; only one that is due may say where it goes.
func (r *room) begin(t *testing.T, userID, eventID string, want user.NoticeState) {
	t.Helper()
	got, err := r.BeginNotice(t.Context(), user.Recipient{UserID: userID}, eventID)
	expected := user.Notice{State: want}
	if want == user.NoticeDue {
		expected.Email, expected.DisplayName = "ada.lovelace@example.com", "Ada"
	}
	if err != nil || got != expected {
		t.Errorf("the notice of %s is %+v, %v, want %+v", eventID, got, err, expected)
	}
}

func (r *room) end(t *testing.T, eventID string) {
	t.Helper()
	if err := r.EndNotice(t.Context(), eventID); err != nil {
		t.Fatal(err)
	}
}

func (r *room) count(t *testing.T, table string) (n int) {
	t.Helper()
	if err := r.pool.QueryRow(t.Context(), `select count(*) from `+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestANoticeIsSentOnce(t *testing.T) {
	r := newRoom(t)
	ada := r.signedUp(t).Account.ID
	r.end(t, "e1") // none was begun: nothing happens
	r.begin(t, ada, "e1", user.NoticeDue)
	r.begin(t, ada, "e1", user.NoticeBusy)
	r.begin(t, ada, "e2", user.NoticeDue)
	r.pass(user.NoticeTurn - time.Second)
	r.begin(t, ada, "e1", user.NoticeBusy)
	r.pass(2 * time.Second)
	r.begin(t, ada, "e1", user.NoticeDue) // whoever began it is taken for dead
	r.begin(t, ada, "e1", user.NoticeBusy)
	r.end(t, "e1")
	r.begin(t, ada, "e1", user.NoticeSent)
	r.pass(time.Hour)
	r.end(t, "e1")
	r.begin(t, ada, "e1", user.NoticeSent)
	r.begin(t, nobody, "e3", user.NoticeGone)
	r.end(t, "e3")
	r.begin(t, ada, "e3", user.NoticeDue) // nothing was kept of it
}

func TestRacingNoticesAreBegunOnce(t *testing.T) {
	r := newRoom(t)
	ada := r.signedUp(t).Account.ID
	for round := range 20 {
		if round%2 == 1 { // every second time they race to take over
			r.pass(2 * user.NoticeTurn)
		}
		var got [8]user.Notice
		errs := atOnce(len(got), func(i int) (err error) {
			got[i], err = r.BeginNotice(t.Context(), user.Recipient{UserID: ada}, fmt.Sprint("e", round/2))
			return err
		})
		due := 0
		for i, notice := range got {
			switch {
			case errs[i] != nil:
				t.Errorf("begin: %v", errs[i])
			case notice.State == user.NoticeDue:
				due++
			case notice.State != user.NoticeBusy:
				t.Errorf("a loser gets %+v", notice)
			}
		}
		if due != 1 {
			t.Errorf("round %d: %d of %d begin it, want 1", round, due, len(got))
		}
	}
}

// An account's deletion and a notice to it at once: the notice is due or there is nobody, and no row stays.
func TestNoticesEndWithTheirAccount(t *testing.T) {
	r := newRoom(t)
	for i := range 10 {
		ada := r.signedUp(t).Account.ID
		r.begin(t, ada, fmt.Sprint("before-", i), user.NoticeDue)
		var notice user.Notice
		errs := atOnce(2, func(who int) (err error) {
			if who == 0 {
				_, err = r.pool.Exec(t.Context(), `delete from users.accounts`)
				return err
			}
			notice, err = r.BeginNotice(t.Context(), user.Recipient{UserID: ada}, fmt.Sprint("at-once-", i))
			return err
		})
		if errs[0] != nil || errs[1] != nil || notice.State != user.NoticeDue && notice.State != user.NoticeGone {
			t.Errorf("the notice is %+v, errors %v", notice, errs)
		}
		r.begin(t, ada, fmt.Sprint("before-", i), user.NoticeGone)
		if n := r.count(t, "users.notices"); n != 0 {
			t.Errorf("%d notices of no account", n)
		}
	}
}

func TestOldNoticesAreForgotten(t *testing.T) {
	r := newRoom(t)
	ada := r.signedUp(t).Account.ID
	r.begin(t, ada, "old", user.NoticeDue)
	r.end(t, "old")
	r.pass(user.NoticeLife - time.Hour)
	r.begin(t, ada, "young", user.NoticeDue)
	r.signedIn(t)
	r.begin(t, ada, "old", user.NoticeSent)
	r.pass(2 * time.Hour)
	r.signedIn(t)
	if n := r.count(t, "users.notices where event_id = 'young'"); n != 1 || r.count(t, "users.notices") != 1 {
		t.Errorf("%d notices are kept, %d of them the young one", r.count(t, "users.notices"), n)
	}
}

// Who registers is told of once, by the transaction that made the account.
func TestRegisteringIsTold(t *testing.T) {
	r := newRoom(t)
	account, err := r.CreateUser(t.Context(), here, email, password, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Rename(t.Context(), account.ID, "Countess", 0); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Provision(t.Context(), "ops@example.com", password, "Ops", []string{identity.RoleOperator}); err != nil {
		t.Fatal(err)
	}
	if n := r.count(t, "users.outbox"); n != 1 {
		t.Errorf("%d events, want one", n)
	}
	var e event.Event
	var topic string
	err = r.pool.QueryRow(t.Context(), `select event_id, topic, type, subject, data from users.outbox`).Scan(&e.ID, &topic, &e.Type, &e.Subject, &e.Data)
	if err != nil {
		t.Fatal(err)
	}
	var told userpb.UserRegistered
	if err := e.Decode(&told); err != nil || told.GetUserId() != account.ID || !told.GetCreateTime().AsTime().Equal(account.CreateTime) {
		t.Errorf("the event is %+v, %v", &told, err)
	}
	var fields map[string]any
	if err := json.Unmarshal(e.Data, &fields); err != nil || len(fields) != 2 {
		t.Errorf("the data is %s, want user_id and create_time only", e.Data)
	}
	if topic != event.UserEvents || e.Subject != "users/"+account.ID || e.ID != account.ID+"-registered" {
		t.Errorf("topic %s, subject %s, id %s", topic, e.Subject, e.ID)
	}
}

// An account that can't be told of isn't made.
func TestNoAccountWithoutItsEvent(t *testing.T) {
	r := newRoom(t)
	if _, err := r.pool.Exec(t.Context(), `alter table users.outbox add check (topic <> 'user-events')`); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateUser(t.Context(), here, email, password, "Ada"); err == nil {
		t.Error("an account was made, and its event refused")
	}
	if n := r.count(t, "users.accounts"); n != 0 {
		t.Errorf("%d accounts", n)
	}
	if _, err := r.pool.Exec(t.Context(), `alter table users.outbox drop constraint outbox_topic_check`); err != nil {
		t.Fatal(err)
	}
	if _, err := r.CreateUser(t.Context(), here, email, password, "Ada"); err != nil {
		t.Error(err)
	}
	if n := r.count(t, "users.outbox"); n != 1 {
		t.Errorf("%d events", n)
	}
}

// The whole service: who may call it, what it refuses, what it answers, and that no log has an address.
func TestNotifyShopperCalls(t *testing.T) {
	r := newRoom(t)
	logs := readLogs(t)
	ada := r.signedUp(t).Account.ID
	issuer := servetest.NewIssuer(t)
	server := issuer.Start(t, "user", func(ctx context.Context, app *serve.App) error {
		return app.Register(ctx, &userpb.UserService_ServiceDesc, user.NewServer(r.Service, app.ClientAddress), user.Gateway)
	})
	conn, err := grpc.NewClient(strings.TrimPrefix(server.URL, "http://"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	client := userpb.NewUserServiceClient(conn)
	as := func(headers ...string) context.Context {
		return metadata.AppendToOutgoingContext(t.Context(), headers...)
	}
	function := as(identity.ServiceTokenHeader, issuer.ServiceToken(t, "notifyshopper"))
	person := issuer.Token(t, identity.Caller{UserID: ada, SessionID: "s", Roles: []string{identity.RoleShopper, identity.RoleOperator}}, time.Minute)

	for _, c := range []struct {
		name            string
		ctx             context.Context
		userID, eventID string
		want            codes.Code
	}{
		{"nobody", as(), ada, "e1", codes.Unauthenticated},
		{"a person", as("authorization", "Bearer "+person), ada, "e1", codes.PermissionDenied},
		{"another service", as(identity.ServiceTokenHeader, issuer.ServiceToken(t, "checkout")), ada, "e1", codes.PermissionDenied},
		{"no event", function, ada, "", codes.InvalidArgument},
		{"a long event", function, ada, strings.Repeat("x", 129), codes.InvalidArgument},
		{"no UUID", function, "ada", "e1", codes.InvalidArgument},
	} {
		_, err := client.BeginNotice(c.ctx, &userpb.BeginNoticeRequest{UserId: c.userID, EventId: c.eventID})
		if status.Code(err) != c.want {
			t.Errorf("%s begins: %v, want %v", c.name, err, c.want)
		}
		if c.userID != ada {
			continue // is none of EndNotice's fields
		}
		if _, err := client.EndNotice(c.ctx, &userpb.EndNoticeRequest{EventId: c.eventID}); status.Code(err) != c.want {
			t.Errorf("%s ends: %v, want %v", c.name, err, c.want)
		}
	}

	begin := func(userID string, want *userpb.BeginNoticeResponse) {
		t.Helper()
		got, err := client.BeginNotice(function, &userpb.BeginNoticeRequest{UserId: userID, EventId: "e1"})
		if err != nil || !proto.Equal(got, want) {
			t.Errorf("begun: %v, %v, want %v", got, err, want)
		}
	}
	begin(nobody, &userpb.BeginNoticeResponse{State: userpb.BeginNoticeResponse_GONE})
	begin(ada, &userpb.BeginNoticeResponse{State: userpb.BeginNoticeResponse_DUE, Email: "ada.lovelace@example.com", DisplayName: "Ada"})
	begin(ada, &userpb.BeginNoticeResponse{State: userpb.BeginNoticeResponse_BUSY})
	if _, err := client.EndNotice(function, &userpb.EndNoticeRequest{EventId: "e1"}); err != nil {
		t.Error(err)
	}
	begin(ada, &userpb.BeginNoticeResponse{State: userpb.BeginNoticeResponse_SENT})

	if _, err := r.pool.Exec(t.Context(), `drop table users.notices`); err != nil {
		t.Fatal(err)
	}
	if _, err := client.BeginNotice(function, &userpb.BeginNoticeRequest{UserId: ada, EventId: "e1"}); status.Code(err) != codes.Internal {
		t.Errorf("without its table: %v", err)
	}
	logs.saysNoSecrets(t, "ada.lovelace@example.com", person)
}
