"""What somebody may do, as a part of queries."""

from sqlalchemy import func, select

from todo.domain.accounts.models import ROLE, USER, USER_ROLE, User, UserRole

RIGHTS = select(func.unnest(ROLE.permissions)).join(UserRole, USER_ROLE.role_id == ROLE.id)
RIGHTS = RIGHTS.where(USER_ROLE.user_id == USER.id).correlate(User)
