package user

import (
	"context"
	"crypto/sha256"
	"fmt"

	"github.com/google/uuid"
)

// RequestPasswordReset has a mail sent with which a new password can be set, if the address is an account's. It doesn't look: whoever writes
// the mail does (BeginNotice). from is where the request comes from. Errors: TOO_MANY_ATTEMPTS.
func (s *Service) RequestPasswordReset(ctx context.Context, from, email string) error {
	if err := s.limiter.mail(ctx, from, email); err != nil {
		return err
	}
	if err := s.store.RequestPasswordReset(ctx, uuid.NewString(), NormalizeEmail(email), s.now()); err != nil {
		return fmt.Errorf("request password reset: %w", err)
	}
	return nil
}

// ResetPassword sets a new password by a mailed token and ends all of the account's sessions. from is where the request comes from. Errors:
// MAIL_TOKEN_INVALID, TOO_MANY_ATTEMPTS, OVERLOADED.
func (s *Service) ResetPassword(ctx context.Context, from, token, password string) error {
	if err := s.limiter.call(ctx, from); err != nil {
		return err
	}
	hash := sha256.Sum256([]byte(token))
	account, err := s.store.AccountByMailToken(ctx, hash, ResetPasswordToken, s.now())
	if err != nil {
		return refused(fmt.Errorf("read the token's account: %w", err))
	}
	passwordHash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	if err := s.store.ResetPassword(ctx, account.ID, hash, passwordHash, s.now()); err != nil {
		return refused(fmt.Errorf("reset password: %w", err))
	}
	s.limiter.signedIn(ctx, account.Email) // who can read the mail needn't wait for those who guessed
	return nil
}
