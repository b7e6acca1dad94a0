package user_test

import (
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"

	"larder.dev/internal/fault"
	"larder.dev/internal/user"
	userredis "larder.dev/internal/user/redis"
)

const newPassword = "difference engine no 2"

// registered makes an account that claims the address.
func (r *room) registered(t *testing.T, password string) user.Account {
	t.Helper()
	account, err := r.CreateUser(t.Context(), here, email, password, "Ada")
	if err != nil {
		t.Fatal(err)
	}
	return account
}

// mailed is the mail that an account's registration leads to.
func (r *room) mailed(t *testing.T, to user.Recipient) user.Notice {
	t.Helper()
	r.events++
	notice, err := r.BeginNotice(t.Context(), to, fmt.Sprint("mailed-", r.events))
	if err != nil {
		t.Fatal(err)
	}
	return notice
}

func (r *room) verificationOf(t *testing.T, account user.Account) user.Notice {
	t.Helper()
	return r.mailed(t, user.Recipient{UserID: account.ID, VerifyEmail: true})
}

// verified makes an account and verifies its address.
func (r *room) verified(t *testing.T) user.Account {
	t.Helper()
	notice := r.verificationOf(t, r.registered(t, password))
	session, err := r.VerifyEmail(t.Context(), here, notice.Token, password)
	if err != nil || !session.Account.Verified {
		t.Fatalf("verify: %+v, %v", session.Account, err)
	}
	return session.Account
}

// resetMail asks for a new password for an address and returns what whoever writes the mail is told.
func (r *room) resetMail(t *testing.T, address string) user.Notice {
	t.Helper()
	if err := r.RequestPasswordReset(t.Context(), here, address); err != nil {
		t.Fatal(err)
	}
	var id string
	err := r.pool.QueryRow(t.Context(), `select data->>'password_reset_id' from users.outbox where type = 'larder.user.v1.PasswordResetRequested'
		order by write_time desc limit 1`).Scan(&id)
	if err != nil {
		t.Fatal(err)
	}
	return r.mailed(t, user.Recipient{PasswordResetID: id})
}

func TestVerifyEmail(t *testing.T) {
	r := newRoom(t)
	account := r.registered(t, password)
	notice := r.verificationOf(t, account)
	if notice.State != user.NoticeDue || notice.Email != account.Email || notice.DisplayName != "" || notice.Token == "" || notice.AddressTaken {
		t.Fatalf("the mail is %+v", notice)
	}
	if n := r.count(t, `users.mail_tokens where encode(token_hash, 'escape') = '`+notice.Token+`' or token_hash = sha256('`+notice.Token+`'::bytea)`); n != 1 {
		t.Errorf("the token is kept otherwise than as its SHA-256")
	}
	_, err := r.VerifyEmail(t.Context(), here, notice.Token, "difference engine")
	want(t, "a wrong password", err, fault.BadCredentials)
	_, err = r.VerifyEmail(t.Context(), here, "x"+notice.Token, password)
	want(t, "another token", err, fault.MailTokenInvalid)
	want(t, "a verification token as a reset token", r.ResetPassword(t.Context(), here, notice.Token, newPassword), fault.MailTokenInvalid)

	session, err := r.VerifyEmail(t.Context(), here, notice.Token, password)
	if err != nil || !session.Account.Verified || session.Account.ID != account.ID || session.Account.Version != account.Version+1 {
		t.Fatalf("verified: %+v, %v", session.Account, err)
	}
	r.refreshed(t, session)
	_, err = r.VerifyEmail(t.Context(), here, notice.Token, password)
	want(t, "the token again", err, fault.MailTokenInvalid)
	if again := r.verificationOf(t, account); again.State != user.NoticeSent || again.Token != "" {
		t.Errorf("a mail to verify a verified address: %+v", again)
	}
}

func TestVerificationTokensEnd(t *testing.T) {
	r := newRoom(t)
	notice := r.verificationOf(t, r.registered(t, password))
	r.pass(user.VerifyEmailLife + time.Second)
	_, err := r.VerifyEmail(t.Context(), here, notice.Token, password)
	want(t, "a token past its time", err, fault.MailTokenInvalid)
}

// Of two who use a token at once, one does.
func TestATokenIsUsedOnce(t *testing.T) {
	r := newRoom(t)
	notice := r.verificationOf(t, r.registered(t, password))
	errs := atOnce(4, func(int) error {
		_, err := r.VerifyEmail(t.Context(), here, notice.Token, password)
		return err
	})
	if n := count(errs, nil); n != 1 {
		t.Errorf("the token verified %d times: %v", n, errs)
	}
	reset := r.resetMail(t, email)
	errs = atOnce(4, func(int) error { return r.ResetPassword(t.Context(), here, reset.Token, newPassword) })
	if n := count(errs, nil); n != 1 {
		t.Errorf("the token reset the password %d times: %v", n, errs)
	}
}

// Several may claim an address; the first to verify has it, and the others learn of it by mail only.
func TestAnAddressBelongsToWhoVerifiedIt(t *testing.T) {
	r := newRoom(t)
	ada, eve := r.registered(t, password), r.registered(t, "eve's own password")
	adas, eves := r.verificationOf(t, ada), r.verificationOf(t, eve)
	if _, err := r.VerifyEmail(t.Context(), here, eves.Token, password); err == nil {
		t.Error("Ada's password verified Eve's account")
	}
	if _, err := r.VerifyEmail(t.Context(), here, adas.Token, password); err != nil {
		t.Fatal(err)
	}
	_, err := r.VerifyEmail(t.Context(), here, eves.Token, "eve's own password")
	want(t, "an address that somebody has", err, fault.MailTokenInvalid)
	late := r.verificationOf(t, r.registered(t, "a third password"))
	if late.State != user.NoticeDue || !late.AddressTaken || late.Token != "" || late.DisplayName != "" {
		t.Errorf("the mail to an address that somebody has: %+v", late)
	}
	for password, id := range map[string]string{password: ada.ID, "a third password": ""} {
		session, err := r.SignIn(t.Context(), here, email, password)
		if err != nil || id != "" && session.Account.ID != id || session.Account.Verified != (id != "") {
			t.Errorf("%q: %+v, %v", password, session.Account, err)
		}
	}
}

// Two who verify one address at once: one has it.
func TestVerificationsAtOnce(t *testing.T) {
	r := newRoom(t)
	for range 5 {
		tokens := [2]string{r.verificationOf(t, r.registered(t, password)).Token, r.verificationOf(t, r.registered(t, password)).Token}
		errs := atOnce(2, func(i int) error {
			_, err := r.VerifyEmail(t.Context(), here, tokens[i], password)
			return err
		})
		if n := count(errs, nil); n != 1 {
			t.Errorf("%d of two verified the address: %v", n, errs)
		}
		for _, err := range errs {
			if err != nil {
				want(t, "the other", err, fault.MailTokenInvalid)
			}
		}
		if _, err := r.pool.Exec(t.Context(), `delete from users.accounts`); err != nil {
			t.Fatal(err)
		}
	}
}

func TestResetPassword(t *testing.T) {
	r := newRoom(t)
	account := r.verified(t)
	here1, there := r.signedIn(t), r.signedIn(t)
	notice := r.resetMail(t, strings.ToUpper(email))
	if notice.State != user.NoticeDue || notice.Email != account.Email || notice.DisplayName != "Ada" || notice.Token == "" {
		t.Fatalf("the mail is %+v", notice)
	}
	another := r.resetMail(t, email)
	_, err := r.VerifyEmail(t.Context(), here, notice.Token, password)
	want(t, "a reset token as a verification token", err, fault.MailTokenInvalid)
	if err := r.ResetPassword(t.Context(), here, notice.Token, newPassword); err != nil {
		t.Fatal(err)
	}
	for name, session := range map[string]user.Session{"here": here1, "there": there} {
		_, err := r.Refresh(t.Context(), session.RefreshToken)
		want(t, "the session "+name, err, fault.RefreshTokenInvalid)
	}
	_, err = r.SignIn(t.Context(), here, email, password)
	want(t, "the old password", err, fault.BadCredentials)
	if _, err := r.SignIn(t.Context(), here, email, newPassword); err != nil {
		t.Errorf("the new password: %v", err)
	}
	want(t, "the token again", r.ResetPassword(t.Context(), here, notice.Token, password), fault.MailTokenInvalid)
	want(t, "the other token", r.ResetPassword(t.Context(), here, another.Token, password), fault.MailTokenInvalid)
	if n := r.count(t, `users.outbox where type = 'larder.user.v1.PasswordReset' and data->>'user_id' = '`+account.ID+`'`); n != 1 {
		t.Errorf("%d events that the password was reset", n)
	}
	late := r.resetMail(t, email)
	r.pass(user.ResetPasswordLife + time.Second)
	want(t, "a token past its time", r.ResetPassword(t.Context(), here, late.Token, password), fault.MailTokenInvalid)
}

// A sign-in with the old password while it is reset: its session is over, too, or it was never begun.
func TestSignInAndResetAtOnce(t *testing.T) {
	r := newRoom(t)
	r.verified(t)
	old, next := password, newPassword
	for range 8 {
		token := r.resetMail(t, email).Token
		var session user.Session
		errs := atOnce(2, func(i int) (err error) {
			if i == 0 {
				return r.ResetPassword(t.Context(), here, token, next)
			}
			session, err = r.SignIn(t.Context(), here, email, old)
			return err
		})
		if errs[0] != nil {
			t.Fatalf("reset: %v", errs[0])
		}
		if errs[1] != nil {
			want(t, "a sign-in that came late", errs[1], fault.BadCredentials)
		} else {
			_, err := r.Refresh(t.Context(), session.RefreshToken)
			want(t, "a session of the old password", err, fault.RefreshTokenInvalid)
		}
		old, next = next, old
	}
}

// Sign-ins at once, all of which find a hash of old parameters, all succeed.
func TestSignInsAtOnceBringAHashUpToDate(t *testing.T) {
	r := newRoom(t)
	r.verified(t)
	r.config.Passwords.Passes = 2
	r.Service = r.instance()
	errs := atOnce(6, func(int) error {
		_, err := r.SignIn(t.Context(), here, email, password)
		return err
	})
	if n := count(errs, nil); n != len(errs) {
		t.Errorf("%d of %d signed in: %v", n, len(errs), errs)
	}
	if hash := r.hash(t); !strings.HasPrefix(hash, "$argon2id$v=19$m=8192,t=2,p=1$") {
		t.Errorf("the hash is %s", hash)
	}
}

func TestNoMailWithoutAVerifiedAddress(t *testing.T) {
	r := newRoom(t)
	r.registered(t, password) // claims the address only
	for _, address := range []string{email, "nobody@example.com"} {
		if notice := r.resetMail(t, address); notice != (user.Notice{State: user.NoticeGone}) {
			t.Errorf("the mail to %s: %+v", address, notice)
		}
	}
	if notice := r.mailed(t, user.Recipient{PasswordResetID: nobody}); notice.State != user.NoticeGone {
		t.Errorf("the mail of no request: %+v", notice)
	}
}

// work is what a call does: how many rows it adds to each table, and how often it hashes.
func (r *room) work(t *testing.T, call func() error) (work map[string]int64, answer error) {
	t.Helper()
	look := func() map[string]int64 {
		seen := map[string]int64{"hashes": user.Hashes(r.Service)}
		for _, table := range []string{"accounts", "sessions", "refresh_tokens", "mail_tokens", "password_resets", "outbox", "notices"} {
			seen[table] = int64(r.count(t, "users."+table))
		}
		return seen
	}
	before := look()
	answer = call()
	work = look()
	for what := range work {
		work[what] -= before[what]
	}
	return work, answer
}

// For an address that somebody has verified, for one that is claimed, and for one that nobody has, each call does the same work and answers
// alike.
func TestNobodyLearnsWhichAddressesHaveAccounts(t *testing.T) {
	const evesPassword = "somebody's password"
	register := func(r *room) error {
		account, err := r.CreateUser(t.Context(), here, email, evesPassword, "Eve")
		if err == nil && (account.Verified || account.Version != 1) {
			t.Errorf("registered: %+v", account)
		}
		return err
	}
	signIn := func(r *room) error {
		session, err := r.SignIn(t.Context(), here, email, evesPassword)
		if err == nil && (session.Account.Verified || session.Account.DisplayName != "Eve") {
			t.Errorf("Eve has signed in to another's account: %+v", session.Account)
		}
		return err
	}
	for name, c := range map[string]struct {
		call   func(r *room) error
		hashes int64
		reason fault.Reason
	}{
		"register":               {register, 1, fault.Reason{}},
		"register, then sign in": {func(r *room) error { return errors.Join(register(r), signIn(r)) }, 3, fault.Reason{}},
		"sign in":                {signIn, 2, fault.BadCredentials},
		"ask for a new password": {func(r *room) error { return r.RequestPasswordReset(t.Context(), here, email) }, 0, fault.Reason{}},
	} {
		var unknown map[string]int64
		for _, address := range []struct {
			is      string
			prepare func(r *room)
		}{
			{"unknown", func(*room) {}},
			{"claimed", func(r *room) { r.registered(t, password) }},
			{"verified", func(r *room) { r.verified(t) }},
			{"verified, and claimed by another", func(r *room) { r.verified(t); r.registered(t, "a third password") }},
		} {
			r := newRoom(t)
			address.prepare(r)
			work, answer := r.work(t, func() error { return c.call(r) })
			if unknown == nil {
				unknown = work
			}
			if work["hashes"] != c.hashes || !maps.Equal(work, unknown) {
				t.Errorf("%s, the address is %s: the work is %v, for one that is unknown %v", name, address.is, work, unknown)
			}
			if (answer == nil) != (c.reason.Name == "") || answer != nil && !fault.Is(answer, c.reason) {
				t.Errorf("%s, the address is %s: %v", name, address.is, answer)
			}
		}
	}
}

func TestTriesToSignInAreLimited(t *testing.T) {
	r := newRoom(t)
	r.config.Limits = user.LimitsConfig{SignIns: 3, Mails: 1000, Calls: 1000}
	r.Service = r.instance()
	r.verified(t)
	guess := func(address string) error {
		_, err := r.SignIn(t.Context(), here, address, "a guess of mine")
		return err
	}
	for _, address := range []string{email, "nobody@example.com"} {
		for range 3 {
			want(t, "a guess", guess(address), fault.BadCredentials)
		}
		for _, spelt := range []string{address, strings.ToUpper(address)} {
			err := guess(spelt)
			want(t, "one too many", err, fault.TooManyAttempts)
			if again := retryAfter(err); again <= 0 || again > 5*time.Minute {
				t.Errorf("%s: try again after %v", spelt, again)
			}
		}
	}
	_, err := r.SignIn(t.Context(), here, email, password)
	want(t, "the right password, one too many", err, fault.TooManyAttempts)
	if err := r.ResetPassword(t.Context(), here, r.resetMail(t, email).Token, newPassword); err != nil {
		t.Fatal(err)
	}
	for range 5 { // who knows the password is never in the way of themselves
		if _, err := r.SignIn(t.Context(), here, email, newPassword); err != nil {
			t.Fatalf("after the reset: %v", err)
		}
	}
	// Nobody gets more guesses by an account of their own that claims the address.
	r.registered(t, "eve's own password")
	refused := 0
	for range 4 {
		_, err := r.SignIn(t.Context(), here, email, "eve's own password")
		if fault.Is(err, fault.TooManyAttempts) {
			refused++
		}
	}
	if refused == 0 {
		t.Error("signing in to an account that claims the address gives tries back")
	}
}

func TestCallersAndMailsAreLimited(t *testing.T) {
	r := newRoom(t)
	r.config.Limits = user.LimitsConfig{SignIns: 1000, Mails: 2, Calls: 6}
	r.Service = r.instance()
	for range 2 {
		if err := r.RequestPasswordReset(t.Context(), "198.51.100.1", email); err != nil {
			t.Fatal(err)
		}
	}
	_, err := r.CreateUser(t.Context(), "198.51.100.2", email, password, "")
	want(t, "a third mail to an address, from elsewhere", err, fault.TooManyAttempts)
	for i := range 7 {
		_, err = r.SignIn(t.Context(), "198.51.100.3", fmt.Sprint(i, "@example.com"), password)
	}
	want(t, "one call too many, to sign in", err, fault.TooManyAttempts)
	_, err = r.VerifyEmail(t.Context(), "198.51.100.3", "token", password)
	want(t, "to verify", err, fault.TooManyAttempts)
	want(t, "to reset", r.ResetPassword(t.Context(), "198.51.100.3", "token", password), fault.TooManyAttempts)
	_, err = r.SignIn(t.Context(), "198.51.100.4", "8@example.com", password)
	want(t, "another caller", err, fault.BadCredentials)
}

// Without the server that counts, people sign in all the same.
func TestWithoutCountingAllIsLetThrough(t *testing.T) {
	r := newRoom(t)
	client, err := userredis.Open("127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	r.tries, r.config.Limits = userredis.New(client, "away"), user.LimitsConfig{SignIns: 1, Mails: 1, Calls: 1}
	r.Service = r.instance()
	r.signedUp(t)
	r.signedIn(t)
}

func TestSignOutEverywhere(t *testing.T) {
	r := newRoom(t)
	here1 := r.signedUp(t)
	there := r.signedIn(t)
	if err := r.SignOutEverywhere(t.Context(), here1.Account.ID); err != nil {
		t.Fatal(err)
	}
	for _, session := range []user.Session{here1, there} {
		_, err := r.Refresh(t.Context(), session.RefreshToken)
		want(t, "a session signed out of", err, fault.RefreshTokenInvalid)
	}
	r.refreshed(t, r.signedIn(t))
}

func TestDeletingAnAccount(t *testing.T) {
	r := newRoom(t)
	account := r.verified(t)
	session := r.signedIn(t)
	if _, err := r.CreateAddress(t.Context(), account.ID, user.Address{Recipient: "Ada"}); err != nil {
		t.Fatal(err)
	}
	token := r.resetMail(t, email).Token
	export, err := r.Export(t.Context(), account.ID)
	if err != nil || export.Account.ID != account.ID || len(export.Addresses) != 1 || len(export.Sessions) != 2 || len(export.Notices) != 2 {
		t.Errorf("exported %+v, %v", export, err)
	}
	if err := r.Delete(t.Context(), account.ID); err != nil {
		t.Fatal(err)
	}
	want(t, "deleting again", r.Delete(t.Context(), account.ID), fault.Unauthenticated)
	_, err = r.Refresh(t.Context(), session.RefreshToken)
	want(t, "its session", err, fault.RefreshTokenInvalid)
	_, err = r.SignIn(t.Context(), here, email, password)
	want(t, "its password", err, fault.BadCredentials)
	want(t, "its reset token", r.ResetPassword(t.Context(), here, token, newPassword), fault.MailTokenInvalid)
	_, err = r.Export(t.Context(), account.ID)
	want(t, "its export", err, fault.Unauthenticated)
	for _, table := range []string{"accounts", "sessions", "refresh_tokens", "mail_tokens", "addresses", "notices"} {
		if n := r.count(t, "users."+table); n != 0 {
			t.Errorf("%d %s are left", n, table)
		}
	}
	if n := r.count(t, `users.outbox where type = 'larder.user.v1.UserDeleted' and data->>'user_id' = '`+account.ID+`'`); n != 1 {
		t.Errorf("%d events that the account is gone", n)
	}
	var told string
	if err := r.pool.QueryRow(t.Context(), `select string_agg(data::text, ' ') from users.outbox`).Scan(&told); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"ada.lovelace", token, password} {
		if strings.Contains(strings.ToLower(told), secret) {
			t.Errorf("an event holds %q: %s", secret, told)
		}
	}
	r.verified(t) // the address is free again
}

// retryAfter is what an error says about when to try again.
func retryAfter(err error) time.Duration {
	for _, detail := range fault.From(err).Status().Details() {
		if info, ok := detail.(*errdetails.RetryInfo); ok {
			return info.GetRetryDelay().AsDuration()
		}
	}
	return 0
}
