package user

// Hashes tells how often passwords were hashed.
func Hashes(s *Service) int64 { return s.hasher.hashes.Load() }
