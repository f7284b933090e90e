"""HeadquartersService: what headquarters' people do, put together from its parts."""

from stillopen.headquarters.calls_activation import ActivationCalls
from stillopen.headquarters.calls_compare import CompareCalls
from stillopen.headquarters.calls_distribution import DistributionCalls
from stillopen.headquarters.calls_imports import ImportCalls
from stillopen.headquarters.calls_journals import JournalCalls
from stillopen.headquarters.calls_master import MasterDataCalls
from stillopen.headquarters.calls_parameters import ParameterCalls
from stillopen.headquarters.calls_people import PeopleCalls
from stillopen.headquarters.calls_periods import PeriodCalls
from stillopen.headquarters.calls_quarantine import QuarantineCalls
from stillopen.headquarters.calls_set_up import SetUpCalls
from stillopen.headquarters.office import Office

SERVICE = "stillopen.v1.HeadquartersService"


class HeadquartersServicer(
    CompareCalls,
    DistributionCalls,
    ImportCalls,
    MasterDataCalls,
    PeopleCalls,
    ParameterCalls,
    SetUpCalls,
    ActivationCalls,
    JournalCalls,
    QuarantineCalls,
    PeriodCalls,
):
    """All of it; each part is a class in a file of its own."""

    def __init__(self, office: Office) -> None:
        self._office = office
