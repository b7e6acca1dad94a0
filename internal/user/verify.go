package user

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/google/uuid"
)

// Registering takes no proof of an address, and must not tell whether it has an account. So it makes an account that claims the address,
// whoever else does. Which of them has the address decides the mail: who can read it, and knows the password of the account that it was
// written for, verifies that account. Both are needed: without the password, somebody could register with a stranger's address and wait
// for the stranger to click.

// VerifyEmail makes the address that an account claims its own, and signs in. from is where the request comes from. Errors:
// MAIL_TOKEN_INVALID, BAD_CREDENTIALS, TOO_MANY_ATTEMPTS, OVERLOADED.
func (s *Service) VerifyEmail(ctx context.Context, from, token, password string) (Session, error) {
	if err := s.limiter.call(ctx, from); err != nil {
		return Session{}, err
	}
	hash := sha256.Sum256([]byte(token))
	account, err := s.store.AccountByMailToken(ctx, hash, VerifyEmailToken, s.now())
	if err != nil {
		return Session{}, refused(fmt.Errorf("read the token's account: %w", err))
	}
	if err := s.limiter.password(ctx, account.ID); err != nil {
		return Session{}, err
	}
	right, current, err := s.hasher.verify(ctx, password, account.PasswordHash)
	if err != nil {
		return Session{}, err
	}
	if !right { // the token stays
		return Session{}, badCredentials()
	}
	verified, err := s.store.VerifyEmail(ctx, account.ID, hash, s.now())
	if err != nil {
		return Session{}, refused(fmt.Errorf("verify address: %w", err))
	}
	session, err := s.begin(ctx, verified, password, current)
	if errors.Is(err, ErrPasswordChanged) {
		return Session{}, badCredentials()
	}
	return session, err
}

// RequestVerification has another mail sent to verify an account's address. Errors: TOO_MANY_ATTEMPTS, UNAUTHENTICATED for an account that
// is gone.
func (s *Service) RequestVerification(ctx context.Context, from, userID string) error {
	account, err := s.Account(ctx, userID)
	if err != nil || account.Verified {
		return err
	}
	if err := s.limiter.mail(ctx, from, account.Email); err != nil {
		return err
	}
	if err := s.store.RequestVerification(ctx, userID, uuid.NewString()); err != nil {
		return fmt.Errorf("request verification: %w", err)
	}
	return nil
}
