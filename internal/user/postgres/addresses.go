package postgres

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"larder.dev/internal/fault"
	"larder.dev/internal/pgdb"
	"larder.dev/internal/user"
)

var (
	//go:embed sql/lock_account.sql
	lockAccount string
	//go:embed sql/count_addresses.sql
	countAddresses string
	//go:embed sql/insert_address.sql
	insertAddress string
	//go:embed sql/address.sql
	addressByID string
	//go:embed sql/addresses.sql
	addressesOf string
	//go:embed sql/update_address.sql
	updateAddress string
	//go:embed sql/delete_address.sql
	deleteAddress string
)

// CreateAddress implements user.Addresses. The account is locked first: the count must see what others just added.
func (s *Store) CreateAddress(ctx context.Context, userID string, a user.SavedAddress, most int) error {
	return pgdb.InTx(ctx, s.pool, func(tx pgx.Tx) error {
		var owner string
		err := tx.QueryRow(ctx, lockAccount, userID).Scan(&owner)
		switch {
		case errors.Is(err, pgx.ErrNoRows):
			return user.ErrNoAccount
		case err != nil:
			return fmt.Errorf("lock account: %w", err)
		}
		var saved int
		if err := tx.QueryRow(ctx, countAddresses, userID).Scan(&saved); err != nil {
			return fmt.Errorf("count addresses: %w", err)
		}
		if saved >= most {
			return fault.TooManyAddresses.New("an account keeps at most %d addresses", most)
		}
		_, err = tx.Exec(ctx, insertAddress,
			a.ID, userID, a.Recipient, a.Line1, a.Line2, a.City, a.Postcode, a.Country, a.Phone, a.CreateTime)
		return err
	})
}

// Address implements user.Addresses.
func (s *Store) Address(ctx context.Context, userID, id string) (user.SavedAddress, error) {
	return address(s.pool.QueryRow(ctx, addressByID, userID, id))
}

// Addresses implements user.Addresses.
func (s *Store) Addresses(ctx context.Context, userID string) ([]user.SavedAddress, error) {
	rows, err := s.pool.Query(ctx, addressesOf, userID)
	if err != nil {
		return nil, pgdb.Error(err)
	}
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (user.SavedAddress, error) { return address(row) })
	return all, pgdb.Error(err)
}

// UpdateAddress implements user.Addresses.
func (s *Store) UpdateAddress(ctx context.Context, userID, id string, a user.Address, now time.Time) (user.SavedAddress, error) {
	return address(s.pool.QueryRow(ctx, updateAddress,
		userID, id, a.Recipient, a.Line1, a.Line2, a.City, a.Postcode, a.Country, a.Phone, now))
}

// DeleteAddress implements user.Addresses.
func (s *Store) DeleteAddress(ctx context.Context, userID, id string) error {
	tag, err := s.pool.Exec(ctx, deleteAddress, userID, id)
	if err == nil && tag.RowsAffected() == 0 {
		return noAddress()
	}
	return pgdb.Error(err)
}

func address(row pgx.Row) (user.SavedAddress, error) {
	var a user.SavedAddress
	err := row.Scan(&a.ID, &a.Recipient, &a.Line1, &a.Line2, &a.City, &a.Postcode, &a.Country, &a.Phone, &a.CreateTime, &a.UpdateTime)
	if errors.Is(err, pgx.ErrNoRows) {
		return user.SavedAddress{}, noAddress()
	}
	return a, pgdb.Error(err)
}

func noAddress() error { return fault.AddressNotFound.New("there is no such address") }
