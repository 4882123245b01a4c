"""SQL expressions for users' permissions."""

from sqlalchemy import func, select

from todo.domain.accounts.models import ROLE, USER, USER_ROLE, User, UserRole

PERMISSIONS_OF = select(func.unnest(ROLE.permissions)).join(UserRole, USER_ROLE.role_id == ROLE.id)
PERMISSIONS_OF = PERMISSIONS_OF.where(USER_ROLE.user_id == USER.id).correlate(User)
