"""The base of the tables."""

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase

engine = create_engine("sqlite://")


class Base(DeclarativeBase):
    pass
