package user_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/identity"
	"larder.dev/internal/serve"
	"larder.dev/internal/serve/servetest"
	"larder.dev/internal/user"
)

const day = 24 * time.Hour

// claims registers somebody with an address of their own, which the account only claims.
func (r *room) claims(t *testing.T, name string) user.Account {
	t.Helper()
	account, err := r.CreateUser(t.Context(), here, name+"@shopper.example", password, name)
	if err != nil {
		t.Fatal(err)
	}
	return account
}

func (r *room) comes(t *testing.T, account user.Account) user.Session {
	t.Helper()
	session, err := r.SignIn(t.Context(), here, account.Email, password)
	if err != nil {
		t.Fatal(err)
	}
	return session
}

// reap walks through all accounts, so many at a time, and returns how many calls it took.
func (r *room) reap(t *testing.T, limit int) (reaped, calls int) {
	t.Helper()
	for last := ""; ; {
		n, next, err := r.Reap(t.Context(), last, limit)
		if err != nil {
			t.Fatal(err)
		}
		reaped, calls = reaped+n, calls+1
		if last = next; last == "" {
			return reaped, calls
		}
	}
}

// left are the names of the accounts that there are, and of those that an event says are gone.
func (r *room) left(t *testing.T, names map[string]string) (there, gone []string) {
	t.Helper()
	for into, sql := range map[*[]string]string{
		&there: `select user_id::text from users.accounts`,
		&gone:  `select data->>'user_id' from users.outbox where type = 'larder.user.v1.UserDeleted'`,
	} {
		rows, err := r.pool.Query(t.Context(), sql)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id string
			if err := rows.Scan(&id); err != nil {
				t.Fatal(err)
			}
			*into = append(*into, names[id])
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
		slices.Sort(*into)
	}
	return there, gone
}

// Of accounts that only claim their address, those go that nobody has used for 90 days, with all that they have. Who verified stays.
func TestUnverifiedAccountsEnd(t *testing.T) {
	r := newRoom(t)
	names := map[string]string{}
	claims := func(name string) user.Account {
		account := r.claims(t, name)
		names[account.ID] = name
		return account
	}
	claims("never came")
	left := claims("left")
	r.comes(t, left)
	if _, err := r.CreateAddress(t.Context(), left.ID, user.Address{Recipient: "Left"}); err != nil {
		t.Fatal(err)
	}
	came := claims("came again")
	stays := r.comes(t, claims("stays signed in"))
	out := claims("signed out lately")
	names[r.verified(t).ID] = "verified"

	r.pass(29 * day)
	stays = r.refreshed(t, stays)
	r.pass(day)
	r.comes(t, came)
	if err := r.SignOutEverywhere(t.Context(), r.comes(t, out).Account.ID); err != nil {
		t.Fatal(err)
	}
	r.pass(20 * day)
	r.refreshed(t, stays)
	claims("young")
	r.pass(40*day - time.Hour) // 90 days after the first ones, but for an hour

	if reaped, calls := r.reap(t, 500); reaped != 0 || calls != 1 {
		t.Errorf("%d accounts ended before their time, in %d calls", reaped, calls)
	}
	r.pass(2 * time.Hour)
	if reaped, calls := r.reap(t, 2); reaped != 2 || calls != 3 { // of five accounts of that age that claim an address
		t.Errorf("%d accounts ended in %d calls, want 2 in 3", reaped, calls)
	}
	there, gone := r.left(t, names)
	if want := []string{"came again", "signed out lately", "stays signed in", "verified", "young"}; !slices.Equal(there, want) {
		t.Errorf("there are %q, want %q", there, want)
	}
	if want := []string{"left", "never came"}; !slices.Equal(gone, want) {
		t.Errorf("gone are %q, want %q", gone, want)
	}
	for table, want := range map[string]int{"users.addresses": 0, "users.sessions where user_id = '" + left.ID + "'": 0} {
		if n := r.count(t, table); n != want {
			t.Errorf("%d rows of %s", n, table)
		}
	}
	if reaped, _ := r.reap(t, 500); reaped != 0 {
		t.Errorf("%d accounts ended twice", reaped)
	}
	if _, gone := r.left(t, names); len(gone) != 2 {
		t.Errorf("told as gone: %q", gone)
	}
}

// Somebody signs in just when their account is to end: it stays, whichever comes first, and nothing waits for them.
func TestReapingMeetsASignIn(t *testing.T) {
	r := newRoom(t)
	slow, quick, gone := r.claims(t, "slow"), r.claims(t, "quick"), r.claims(t, "gone")
	r.pass(user.UnverifiedLife + day)

	tx, err := r.pool.Begin(t.Context()) // a sign-in that is under way, by its lock
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback(context.WithoutCancel(t.Context())) }()
	if _, err := tx.Exec(t.Context(), `select from users.accounts where user_id = $1 for share`, slow.ID); err != nil {
		t.Fatal(err)
	}
	r.comes(t, quick)
	if reaped, _ := r.reap(t, 500); reaped != 1 {
		t.Errorf("%d accounts ended, want 1", reaped)
	}
	there, _ := r.left(t, map[string]string{slow.ID: "slow", quick.ID: "quick", gone.ID: "gone"})
	if want := []string{"quick", "slow"}; !slices.Equal(there, want) {
		t.Errorf("there are %q, want %q", there, want)
	}
}

// Two runs at once tell of each account once.
func TestReapingBesideItself(t *testing.T) {
	r := newRoom(t)
	for n := range 20 {
		r.claims(t, fmt.Sprint("account-", n))
	}
	r.pass(user.UnverifiedLife + day)
	counts := make(chan int)
	for range 4 {
		go func() {
			sum := 0
			for last := ""; ; {
				n, next, err := r.Reap(t.Context(), last, 3)
				if err != nil {
					t.Error(err)
				}
				sum += n
				if last = next; last == "" {
					counts <- sum
					return
				}
			}
		}()
	}
	if sum := <-counts + <-counts + <-counts + <-counts; sum > 20 {
		t.Errorf("%d ends of 20 accounts", sum)
	}
	r.reap(t, 500) // those that a run left to another
	if n := r.count(t, `users.accounts`); n != 0 {
		t.Errorf("%d accounts are left", n)
	}
	if n := r.count(t, `users.outbox where type = 'larder.user.v1.UserDeleted'`); n != 20 {
		t.Errorf("%d events of 20 accounts", n)
	}
}

// Only the function may call it, within its limits.
func TestReapAccountsCalls(t *testing.T) {
	r := newRoom(t)
	r.claims(t, "gone")
	r.pass(user.UnverifiedLife + day)
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
	for _, c := range []struct {
		name, caller string
		request      *userpb.ReapAccountsRequest
		want         codes.Code
	}{
		{"another function", "notifyshopper", &userpb.ReapAccountsRequest{}, codes.PermissionDenied},
		{"too many at once", "reapaccounts", &userpb.ReapAccountsRequest{Limit: 1001}, codes.InvalidArgument},
		{"fewer than none", "reapaccounts", &userpb.ReapAccountsRequest{Limit: -1}, codes.InvalidArgument},
		{"no id", "reapaccounts", &userpb.ReapAccountsRequest{AfterUserId: "ada"}, codes.InvalidArgument},
		{"the function", "reapaccounts", &userpb.ReapAccountsRequest{}, codes.OK},
	} {
		ctx := metadata.AppendToOutgoingContext(t.Context(), identity.ServiceTokenHeader, issuer.ServiceToken(t, c.caller))
		answer, err := client.ReapAccounts(ctx, c.request)
		if status.Code(err) != c.want {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
		if c.want == codes.OK && (answer.GetReaped() != 1 || answer.GetLastUserId() != "") {
			t.Errorf("%s: %v", c.name, answer)
		}
	}
}
