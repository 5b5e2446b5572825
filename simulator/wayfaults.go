package simulator

import "time"

// WayFaults are the switches for authorisation other than by a shop's own token, part
// of Faults. The zero value is a platform whose refresh tokens never change, and a
// hosting that is up.
type WayFaults struct {
	RotateRefreshToken   string        `fault:"rotate_refresh_token" want:"off,on,at_use" help:"an authorizer token comes with a new refresh token: never; always, and the old one stays valid for 300 s; or always, and the old one ends when the new access token is first used"`
	PlatformError        int           `fault:"platform_error" help:"calls of a third-party platform answer this errcode (0: none)"`
	AuthorizersShortRate float64       `fault:"authorizers_short_rate" help:"pages of the list of authorised shops that leave one out, and do not count it"`
	MissingSet131        bool          `fault:"missing_set_131" help:"shops have not granted the platform the permission set of orders: its list calls get 61007"`
	CloudUnlisted        bool          `fault:"cloud_unlisted" help:"the hosting's token has no permission for the list call: cloud calls get 48001"`
	RelayDelay           time.Duration `fault:"relay_delay" help:"the hosting's relay comes up this long after the simulator; until then calls without a token get 41001"`
	SeqidAbsent          bool          `fault:"seqid_absent" help:"answers to calls without a token have no x-openapi-seqid"`
}

// chaosAuth returns the faults that change what a caller must store, and none that
// stop it.
func chaosAuth() WayFaults { return WayFaults{RotateRefreshToken: "on", SeqidAbsent: true} }
