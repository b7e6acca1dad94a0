package user

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// Address is where somebody wants things delivered. Fields after larder.type.v1.Address.
type Address struct {
	Recipient, Line1, Line2, City, Postcode, Country, Phone string
}

// SavedAddress is an address of an account.
type SavedAddress struct {
	ID string // UUID
	Address
	CreateTime time.Time
	UpdateTime time.Time
}

// Addresses is what the room needs of its store for addresses. Each method sees only those of the named account.
type Addresses interface {
	// CreateAddress keeps an address unless the account has as many as may be. Errors: ErrNoAccount, TOO_MANY_ADDRESSES.
	CreateAddress(ctx context.Context, userID string, address SavedAddress, most int) error
	// Address, UpdateAddress and DeleteAddress answer ADDRESS_NOT_FOUND.
	Address(ctx context.Context, userID, id string) (SavedAddress, error)
	UpdateAddress(ctx context.Context, userID, id string, address Address, now time.Time) (SavedAddress, error)
	DeleteAddress(ctx context.Context, userID, id string) error
	// Addresses returns all, oldest first.
	Addresses(ctx context.Context, userID string) ([]SavedAddress, error)
}

// CreateAddress saves an address. Errors: TOO_MANY_ADDRESSES, UNAUTHENTICATED for an account that is gone.
func (s *Service) CreateAddress(ctx context.Context, userID string, address Address) (SavedAddress, error) {
	now := s.now().Truncate(time.Microsecond) // what the store keeps
	saved := SavedAddress{ID: uuid.NewString(), Address: address, CreateTime: now, UpdateTime: now}
	if err := s.store.CreateAddress(ctx, userID, saved, MaxAddresses); err != nil {
		return SavedAddress{}, gone(fmt.Errorf("create address: %w", err))
	}
	return saved, nil
}

// Address returns one address. Errors: ADDRESS_NOT_FOUND.
func (s *Service) Address(ctx context.Context, userID, id string) (SavedAddress, error) {
	return s.store.Address(ctx, userID, id)
}

// Addresses returns all of an account's addresses, oldest first.
func (s *Service) Addresses(ctx context.Context, userID string) ([]SavedAddress, error) {
	return s.store.Addresses(ctx, userID)
}

// UpdateAddress replaces an address. Errors: ADDRESS_NOT_FOUND.
func (s *Service) UpdateAddress(ctx context.Context, userID, id string, address Address) (SavedAddress, error) {
	return s.store.UpdateAddress(ctx, userID, id, address, s.now())
}

// DeleteAddress forgets an address. Errors: ADDRESS_NOT_FOUND.
func (s *Service) DeleteAddress(ctx context.Context, userID, id string) error {
	return s.store.DeleteAddress(ctx, userID, id)
}
