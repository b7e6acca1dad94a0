package user

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"

	typepb "larder.dev/api/type/v1"
	userpb "larder.dev/api/user/v1"
	"larder.dev/internal/fault"
	"larder.dev/internal/identity"
)

// Server is the room's API, larder.user.v1.UserService.
type Server struct {
	userpb.UnimplementedUserServiceServer
	service *Service
	from    func(context.Context) string
}

// NewServer makes the API of a room. from tells the network address that a request comes from.
func NewServer(service *Service, from func(context.Context) string) *Server {
	return &Server{service: service, from: from}
}

// Gateway registers the API's REST side.
func Gateway(ctx context.Context, mux *runtime.ServeMux, conn grpc.ClientConnInterface) error {
	return userpb.RegisterUserServiceHandlerClient(ctx, mux, userpb.NewUserServiceClient(conn))
}

// CreateUser implements UserServiceServer.
func (s *Server) CreateUser(ctx context.Context, req *userpb.CreateUserRequest) (*userpb.User, error) {
	account, err := s.service.CreateUser(ctx, s.from(ctx), req.GetEmail(), req.GetPassword(), req.GetDisplayName())
	if err != nil {
		return nil, err
	}
	return userProto(account), nil
}

// GetUser implements UserServiceServer.
func (s *Server) GetUser(ctx context.Context, _ *userpb.GetUserRequest) (*userpb.User, error) {
	account, err := s.service.Account(ctx, identity.FromContext(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return userProto(account), nil
}

// UpdateUser implements UserServiceServer. A mask may name etag: on REST it is made of the body's fields, and the etag is one of
// them. Without a mask, what the request has is changed (AIP-134).
func (s *Server) UpdateUser(ctx context.Context, req *userpb.UpdateUserRequest) (*userpb.User, error) {
	rename := len(req.GetUpdateMask().GetPaths()) == 0 && req.GetUser().GetDisplayName() != ""
	for _, path := range req.GetUpdateMask().GetPaths() {
		switch path {
		case "display_name", "*":
			rename = true
		case "etag":
		default:
			return nil, fault.Invalid("update_mask", "%q is no field that can be changed: display_name is", path)
		}
	}
	version, err := versionOf(req.GetUser().GetEtag())
	if err != nil {
		return nil, err
	}
	id := identity.FromContext(ctx).UserID
	var account Account
	if rename {
		account, err = s.service.Rename(ctx, id, req.GetUser().GetDisplayName(), version)
	} else {
		account, err = s.service.Account(ctx, id)
		if err == nil && version != 0 && version != account.Version {
			err = mismatch()
		}
	}
	if err != nil {
		return nil, err
	}
	return userProto(account), nil
}

// VerifyEmail implements UserServiceServer.
func (s *Server) VerifyEmail(ctx context.Context, req *userpb.VerifyEmailRequest) (*userpb.Session, error) {
	session, err := s.service.VerifyEmail(ctx, s.from(ctx), req.GetToken(), req.GetPassword())
	if err != nil {
		return nil, err
	}
	return sessionProto(session), nil
}

// RequestEmailVerification implements UserServiceServer.
func (s *Server) RequestEmailVerification(ctx context.Context, _ *userpb.RequestEmailVerificationRequest) (*emptypb.Empty, error) {
	return empty(s.service.RequestVerification(ctx, s.from(ctx), identity.FromContext(ctx).UserID))
}

// RequestPasswordReset implements UserServiceServer.
func (s *Server) RequestPasswordReset(ctx context.Context, req *userpb.RequestPasswordResetRequest) (*emptypb.Empty, error) {
	return empty(s.service.RequestPasswordReset(ctx, s.from(ctx), req.GetEmail()))
}

// ResetPassword implements UserServiceServer.
func (s *Server) ResetPassword(ctx context.Context, req *userpb.ResetPasswordRequest) (*emptypb.Empty, error) {
	return empty(s.service.ResetPassword(ctx, s.from(ctx), req.GetToken(), req.GetPassword()))
}

// ExportUser implements UserServiceServer.
func (s *Server) ExportUser(ctx context.Context, _ *userpb.ExportUserRequest) (*userpb.UserExport, error) {
	export, err := s.service.Export(ctx, identity.FromContext(ctx).UserID)
	if err != nil {
		return nil, err
	}
	return exportProto(export), nil
}

// DeleteUser implements UserServiceServer.
func (s *Server) DeleteUser(ctx context.Context, _ *userpb.DeleteUserRequest) (*emptypb.Empty, error) {
	return empty(s.service.Delete(ctx, identity.FromContext(ctx).UserID))
}

// CreateSession implements UserServiceServer.
func (s *Server) CreateSession(ctx context.Context, req *userpb.CreateSessionRequest) (*userpb.Session, error) {
	session, err := s.service.SignIn(ctx, s.from(ctx), req.GetEmail(), req.GetPassword())
	if err != nil {
		return nil, err
	}
	return sessionProto(session), nil
}

// RefreshSession implements UserServiceServer.
func (s *Server) RefreshSession(ctx context.Context, req *userpb.RefreshSessionRequest) (*userpb.Session, error) {
	session, err := s.service.Refresh(ctx, req.GetRefreshToken())
	if err != nil {
		return nil, err
	}
	return sessionProto(session), nil
}

// DeleteSession implements UserServiceServer.
func (s *Server) DeleteSession(ctx context.Context, _ *userpb.DeleteSessionRequest) (*emptypb.Empty, error) {
	return empty(s.service.SignOut(ctx, identity.FromContext(ctx)))
}

// DeleteSessions implements UserServiceServer.
func (s *Server) DeleteSessions(ctx context.Context, _ *userpb.DeleteSessionsRequest) (*emptypb.Empty, error) {
	return empty(s.service.SignOutEverywhere(ctx, identity.FromContext(ctx).UserID))
}

// CreateAddress implements UserServiceServer.
func (s *Server) CreateAddress(ctx context.Context, req *userpb.CreateAddressRequest) (*userpb.SavedAddress, error) {
	saved, err := s.service.CreateAddress(ctx, identity.FromContext(ctx).UserID, addressOf(req.GetAddress()))
	if err != nil {
		return nil, err
	}
	return addressProto(saved), nil
}

// GetAddress implements UserServiceServer.
func (s *Server) GetAddress(ctx context.Context, req *userpb.GetAddressRequest) (*userpb.SavedAddress, error) {
	saved, err := s.service.Address(ctx, identity.FromContext(ctx).UserID, req.GetAddressId())
	if err != nil {
		return nil, err
	}
	return addressProto(saved), nil
}

// ListAddresses implements UserServiceServer.
func (s *Server) ListAddresses(ctx context.Context, _ *userpb.ListAddressesRequest) (*userpb.ListAddressesResponse, error) {
	all, err := s.service.Addresses(ctx, identity.FromContext(ctx).UserID)
	if err != nil {
		return nil, err
	}
	response := &userpb.ListAddressesResponse{}
	for _, saved := range all {
		response.Addresses = append(response.Addresses, addressProto(saved))
	}
	return response, nil
}

// UpdateAddress implements UserServiceServer.
func (s *Server) UpdateAddress(ctx context.Context, req *userpb.UpdateAddressRequest) (*userpb.SavedAddress, error) {
	saved, err := s.service.UpdateAddress(ctx, identity.FromContext(ctx).UserID, req.GetAddressId(), addressOf(req.GetAddress()))
	if err != nil {
		return nil, err
	}
	return addressProto(saved), nil
}

// DeleteAddress implements UserServiceServer.
func (s *Server) DeleteAddress(ctx context.Context, req *userpb.DeleteAddressRequest) (*emptypb.Empty, error) {
	return empty(s.service.DeleteAddress(ctx, identity.FromContext(ctx).UserID, req.GetAddressId()))
}

// GetJwks implements UserServiceServer.
func (s *Server) GetJwks(ctx context.Context, _ *userpb.GetJwksRequest) (*userpb.Jwks, error) {
	keys, err := s.service.PublicKeys(ctx)
	if err != nil {
		return nil, err
	}
	jwks := &userpb.Jwks{}
	for _, key := range keys {
		jwks.Keys = append(jwks.Keys, &userpb.Jwk{
			Kty: "OKP", Crv: "Ed25519", X: base64.RawURLEncoding.EncodeToString(key.Public()),
			Kid: key.KID, Use: "sig", Alg: "EdDSA",
		})
	}
	return jwks, nil
}

// BeginNotice implements UserServiceServer.
func (s *Server) BeginNotice(ctx context.Context, req *userpb.BeginNoticeRequest) (*userpb.BeginNoticeResponse, error) {
	to := Recipient{UserID: req.GetUserId(), PasswordResetID: req.GetPasswordResetId(), VerifyEmail: req.GetVerifyEmail()}
	notice, err := s.service.BeginNotice(ctx, to, req.GetEventId())
	if err != nil {
		return nil, err
	}
	return &userpb.BeginNoticeResponse{
		State: noticeStates[notice.State], Email: notice.Email, DisplayName: notice.DisplayName,
		Token: notice.Token, AddressTaken: notice.AddressTaken,
	}, nil
}

// EndNotice implements UserServiceServer.
func (s *Server) EndNotice(ctx context.Context, req *userpb.EndNoticeRequest) (*emptypb.Empty, error) {
	return empty(s.service.EndNotice(ctx, req.GetEventId()))
}

// ReapAccounts implements UserServiceServer.
func (s *Server) ReapAccounts(ctx context.Context, req *userpb.ReapAccountsRequest) (*userpb.ReapAccountsResponse, error) {
	reaped, last, err := s.service.Reap(ctx, req.GetAfterUserId(), int(req.GetLimit()))
	if err != nil {
		return nil, err
	}
	return &userpb.ReapAccountsResponse{Reaped: int32(reaped), LastUserId: last}, nil
}

func empty(err error) (*emptypb.Empty, error) {
	if err != nil {
		return nil, err
	}
	return &emptypb.Empty{}, nil
}

var noticeStates = map[NoticeState]userpb.BeginNoticeResponse_State{
	NoticeDue: userpb.BeginNoticeResponse_DUE, NoticeBusy: userpb.BeginNoticeResponse_BUSY,
	NoticeSent: userpb.BeginNoticeResponse_SENT, NoticeGone: userpb.BeginNoticeResponse_GONE,
}

// An etag is the account's version in decimals.
func etag(version int64) string { return strconv.FormatInt(version, 10) }

// versionOf reads an etag; none is 0, any version. One that can't be ours matches nothing.
func versionOf(etag string) (int64, error) {
	if etag == "" {
		return 0, nil
	}
	version, err := strconv.ParseInt(etag, 10, 64)
	if err != nil || version < 1 {
		return 0, mismatch().WithCause(fmt.Errorf("read etag: %w", err))
	}
	return version, nil
}

func mismatch() *fault.Error {
	return fault.EtagMismatch.New("the account has changed since it was read")
}

func userProto(a Account) *userpb.User {
	return &userpb.User{
		UserId: a.ID, Email: a.Email, DisplayName: a.DisplayName, Roles: a.Roles,
		CreateTime: timestamppb.New(a.CreateTime), Etag: etag(a.Version), EmailVerified: a.Verified,
	}
}

func sessionProto(s Session) *userpb.Session {
	return &userpb.Session{
		AccessToken: s.AccessToken, AccessTokenExpireTime: timestamppb.New(s.AccessTokenExpiry),
		RefreshToken: s.RefreshToken, RefreshTokenExpireTime: timestamppb.New(s.RefreshTokenExpiry),
		User: userProto(s.Account),
	}
}

func addressOf(p *typepb.Address) Address {
	return Address{
		Recipient: p.GetRecipient(), Line1: p.GetLine1(), Line2: p.GetLine2(), City: p.GetCity(),
		Postcode: p.GetPostcode(), Country: p.GetCountry(), Phone: p.GetPhone(),
	}
}

func addressProto(s SavedAddress) *userpb.SavedAddress {
	return &userpb.SavedAddress{
		AddressId: s.ID,
		Address: &typepb.Address{
			Recipient: s.Recipient, Line1: s.Line1, Line2: s.Line2, City: s.City,
			Postcode: s.Postcode, Country: s.Country, Phone: s.Phone,
		},
		CreateTime: timestamppb.New(s.CreateTime), UpdateTime: timestamppb.New(s.UpdateTime),
	}
}

func exportProto(e Export) *userpb.UserExport {
	p := &userpb.UserExport{User: userProto(e.Account)}
	for _, saved := range e.Addresses {
		p.Addresses = append(p.Addresses, addressProto(saved))
	}
	for _, kept := range e.Sessions {
		p.Sessions = append(p.Sessions, &userpb.SessionInfo{
			SessionId: kept.ID, CreateTime: timestamppb.New(kept.CreateTime), ExpireTime: timestamppb.New(kept.ExpireTime), EndTime: timeProto(kept.EndTime),
		})
	}
	for _, kept := range e.Notices {
		p.Notices = append(p.Notices, &userpb.NoticeInfo{EventId: kept.EventID, BeginTime: timestamppb.New(kept.BeginTime), EndTime: timeProto(kept.EndTime)})
	}
	return p
}

// timeProto writes no time as none.
func timeProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}
