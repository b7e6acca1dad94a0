package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// mailedToken finds the token in a mail's link.
var mailedToken = regexp.MustCompile(`#token=([A-Za-z0-9_-]{20,})`)

// tokenByMail waits for a person's mail with a word in its subject, and takes the token out of it.
func (d *demo) tokenByMail(ctx context.Context, to, word string) (string, error) {
	mail, err := d.mail(ctx, to, word)
	if err != nil {
		return "", err
	}
	found := mailedToken.FindStringSubmatch(mail.text("text"))
	if len(found) < 2 || !strings.Contains(mail.text("html"), found[0]) {
		return "", fmt.Errorf("no token in both parts of the mail: %s", mail)
	}
	return found[1], nil
}

// verifyByMail verifies the shopper's address. A stranger who registers with it afterwards learns nothing, and can do nothing with it.
func verifyByMail(ctx context.Context, d *demo) (string, error) {
	began := time.Now()
	token, err := d.tokenByMail(ctx, d.account["email"], "please verify")
	if err != nil {
		return "", err
	}
	arrived := time.Since(began).Milliseconds()
	const path = "/v1/users:verifyEmail"
	wrong, err := d.call(ctx, "POST", path, "", map[string]any{"token": token, "password": "of-a-stranger"})
	if err == nil {
		err = wrong.refused(401, "BAD_CREDENTIALS")
	}
	if err != nil {
		return "", err
	}
	verified, err := d.must(ctx, 200, "POST", path, "", map[string]any{"token": token, "password": d.account["password"]})
	if err != nil {
		return "", err
	}
	if verified.at("user.email_verified") != true {
		return "", errors.New(verified.String())
	}
	again, err := d.call(ctx, "POST", path, "", map[string]any{"token": token, "password": d.account["password"]})
	if err == nil {
		err = again.refused(401, "MAIL_TOKEN_INVALID")
	}
	if err != nil {
		return "", err
	}

	stranger := map[string]any{"email": d.account["email"], "password": "of-a-stranger", "display_name": "Eve"}
	registered, err := d.must(ctx, 200, "POST", "/v1/users", "", stranger)
	if err != nil {
		return "", err
	}
	if registered.at("email_verified") == true || registered.text("user_id") == verified.text("user.user_id") {
		return "", errors.New(registered.String())
	}
	if _, err := d.mail(ctx, d.account["email"], "You have an account"); err != nil {
		return "", err
	}
	return fmt.Sprintf("mail after %d ms; verified, once; a stranger who registers with the address is answered as anybody is, and its person gets a mail", arrived), nil
}

// resetPassword sets a new password, which ends every session, and goes on with a new one.
func resetPassword(ctx context.Context, d *demo) (string, error) {
	for _, email := range []string{d.account["email"], "nobody-" + d.account["email"]} { // the same answer, and a mail for one
		if _, err := d.must(ctx, 200, "POST", "/v1/users:requestPasswordReset", "", map[string]any{"email": email}); err != nil {
			return "", err
		}
	}
	token, err := d.tokenByMail(ctx, d.account["email"], "Set a new password")
	if err != nil {
		return "", err
	}
	before, err := d.signIn(ctx)
	if err != nil {
		return "", err
	}
	old := d.account["password"]
	d.account["password"] = "another-horse-" + d.word
	reset := map[string]any{"token": token, "password": d.account["password"]}
	if _, err := d.must(ctx, 200, "POST", "/v1/users:resetPassword", "", reset); err != nil {
		return "", err
	}
	var faults []error
	for _, probe := range []struct {
		path   string
		body   map[string]any
		reason string
	}{
		{"/v1/users:resetPassword", reset, "MAIL_TOKEN_INVALID"},
		{"/v1/sessions", map[string]any{"email": d.account["email"], "password": old}, "BAD_CREDENTIALS"},
		{"/v1/sessions:refresh", map[string]any{"refresh_token": before.text("refresh_token")}, "REFRESH_TOKEN_INVALID"},
	} {
		refused, err := d.call(ctx, "POST", probe.path, "", probe.body)
		if err == nil {
			err = refused.refused(401, probe.reason)
		}
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return "", err
	}
	session, err := d.signIn(ctx)
	if err != nil {
		return "", err
	}
	d.shopper, d.refresh = session.text("access_token"), session.text("refresh_token")
	if _, err := d.mail(ctx, d.account["email"], "Your password was changed"); err != nil {
		return "", err
	}
	return "the new password signs in; refused: the token again, the old password, a session of before; a mail tells of it", nil
}

func (d *demo) signIn(ctx context.Context) (answer, error) {
	return d.must(ctx, 200, "POST", "/v1/sessions", "", map[string]any{"email": d.account["email"], "password": d.account["password"]})
}

func (d *demo) refreshed(ctx context.Context, token string) (answer, error) {
	return d.must(ctx, 200, "POST", "/v1/sessions:refresh", "", map[string]any{"refresh_token": token})
}

// refreshSession changes the refresh token for a new pair, twice: as if the first answer had been lost.
func refreshSession(ctx context.Context, d *demo) (string, error) {
	lost, err := d.refreshed(ctx, d.refresh)
	if err != nil {
		return "", err
	}
	heard, err := d.refreshed(ctx, d.refresh)
	if err != nil {
		return "", err
	}
	if heard.text("refresh_token") == lost.text("refresh_token") {
		return "", errors.New("two answers have one refresh token")
	}
	if _, err := d.must(ctx, 200, "GET", "/v1/users/me", heard.text("access_token"), nil); err != nil {
		return "", err
	}
	d.used, d.shopper, d.refresh = d.refresh, heard.text("access_token"), heard.text("refresh_token")
	return "a new pair; asked again, as by a client that heard nothing, another one in its place", nil
}

// reuseRefreshToken sends a used token once more, as a thief would.
func reuseRefreshToken(ctx context.Context, d *demo) (string, error) {
	other, err := d.signIn(ctx)
	if err != nil {
		return "", err
	}
	next, err := d.refreshed(ctx, d.refresh) // now somebody has certainly heard the answer
	if err != nil {
		return "", err
	}
	for _, token := range []string{d.used, next.text("refresh_token")} {
		refused, err := d.call(ctx, "POST", "/v1/sessions:refresh", "", map[string]any{"refresh_token": token})
		if err == nil {
			err = refused.refused(401, "REFRESH_TOKEN_INVALID")
		}
		if err != nil {
			return "", err
		}
	}
	session, err := d.refreshed(ctx, other.text("refresh_token"))
	if err != nil {
		return "", err
	}
	d.shopper, d.refresh = session.text("access_token"), session.text("refresh_token")
	return "REFRESH_TOKEN_INVALID, and for the session's good one too; the person's other session goes on", nil
}

// deleteAccount is a shopper who leaves with one order that has ended and one that is on its way: both lose the person, each when it has ended.
func deleteAccount(ctx context.Context, d *demo) (string, error) {
	s, err := d.newShopper(ctx, "leaver")
	if err != nil {
		return "", err
	}
	product, err := d.newProduct(ctx, "damsons", 150, map[string]int{store: 5})
	if err != nil {
		return "", err
	}
	var orders [2]string
	for i := range orders {
		bought, err := d.buy(ctx, s, map[string]int{product: 1})
		if err != nil {
			return "", err
		}
		orders[i] = bought.text("order_id")
	}
	ended, onItsWay := orders[0], orders[1]
	const reason = "my mother brings some" // the shopper's words are the person's, the store's are not
	cancel := func(order, token, reason string) error {
		_, err := d.must(ctx, 200, "POST", "/v1/orders/"+order+":cancel", token, map[string]any{"reason": reason})
		return err
	}
	if err := cancel(ended, s.token, reason); err != nil {
		return "", err
	}
	export, err := d.must(ctx, 200, "GET", "/v1/users/me:export", s.token, nil)
	if err != nil {
		return "", err
	}
	if export.text("user.email") != s.email {
		return "", errors.New(export.String())
	}
	if _, err := d.must(ctx, 200, "DELETE", "/v1/users/me", s.token, nil); err != nil {
		return "", err
	}
	forgotten := func(order string) (time.Duration, error) {
		return eventually(ctx, 20*time.Second, func() error {
			kept, err := d.must(ctx, 200, "GET", "/v1/orders/"+order, d.operator, nil)
			personal := kept.text("address.recipient") + kept.text("address.line1") + kept.text("address.postcode")
			if err == nil && (kept.text("address.country") != "GB" || personal != "" || strings.Contains(kept.String(), reason)) {
				err = errors.New(kept.String())
			}
			return err
		})
	}
	first, err := forgotten(ended)
	if err != nil {
		return "", err
	}
	still, err := d.must(ctx, 200, "GET", "/v1/orders/"+onItsWay, d.operator, nil)
	if err != nil || still.text("address.recipient") != address["recipient"] {
		return "", errors.Join(err, fmt.Errorf("the order on its way: %s", still))
	}
	if err := cancel(onItsWay, d.operator, "the shopper has left"); err != nil {
		return "", err
	}
	second, err := forgotten(onItsWay)
	if err != nil {
		return "", err
	}
	for _, path := range []string{"/v1/users/me", "/v1/carts/me"} {
		gone, err := d.call(ctx, "GET", path, s.token, nil)
		if err != nil || gone.status == 200 {
			return "", errors.Join(err, fmt.Errorf("%s is still there: %s", path, gone))
		}
	}
	return fmt.Sprintf("the ended order without the person after %d ms, the other one %d ms after its end; the cart is gone", first.Milliseconds(), second.Milliseconds()), nil
}
