package simulator

import "time"

// WayFaults are the switches of the ways to be authorised other than by a
// shop's own token, part of Faults. The zero value is a platform whose refresh
// tokens never change, and a hosting that is up.
type WayFaults struct {
	RotateRefreshToken string        `fault:"rotate_refresh_token" want:"off,on,at_use" help:"an authorizer token comes with a new refresh token: never; always, and the old one lives 300 s more; or always, and the old one dies when the new access token is first used"`
	PlatformError      int           `fault:"platform_error" help:"calls of a third-party platform answer this errcode (0: none)"`
	MissingSet131      bool          `fault:"missing_set_131" help:"shops have not granted the platform the permission set of orders: its list calls get 61007"`
	CloudUnlisted      bool          `fault:"cloud_unlisted" help:"the list call is not among what the hosting's token may call: cloud calls get 48001"`
	RelayDelay         time.Duration `fault:"relay_delay" help:"the hosting's relay comes up this long after the simulator; until then calls without a token get 41001"`
	SeqidAbsent        bool          `fault:"seqid_absent" help:"answers to calls without a token have no x-openapi-seqid"`
}

// chaosWays changes what a caller must keep, and nothing that stops it.
func chaosWays() WayFaults { return WayFaults{RotateRefreshToken: "on", SeqidAbsent: true} }
