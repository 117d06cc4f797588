// Package user is the controller of DevServerUsers. It gives each user a namespace to have development servers in, a login,
// and the least rights that suffice for working there, and keeps all of it as the spec says: what is changed or deleted by
// others is put back, and what is taken out of the spec is removed.
//
// All that belongs to a user is owned by the DevServerUser, so that deleting it deletes everything, the data in the
// namespace too. Nothing is taken over that belongs to someone else.
package user
